"""Addresses: what is shown survives a URL, and nonsense does no harm."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.app.url_state import (
    NAMES,
    Address,
    FeaturesLook,
    InstancesLook,
    OverlayLook,
)
from workbench.app.viewer.view import Tones, View

words = st.text(min_size=1, max_size=12)
parts = st.floats(0, 1).map(lambda value: float(f"{value:.3g}"))
places = st.floats(-1e5, 1e6).map(lambda value: round(value, 1))
views = st.builds(
    View, places, places, st.floats(0.03, 500).map(lambda value: float(f"{value:.4g}"))
)
looks = st.builds(
    OverlayLook,
    run=words,
    channel=st.just("") | words,
    colours=words,
    opacity=parts,
    threshold=parts,
    visible=st.booleans(),
    window=st.none() | st.tuples(parts, parts),
    summary=st.sampled_from(["", "mean", "highest"]),
)
files = st.builds(
    FeaturesLook,
    run=words,
    channel=words,
    colours=words,
    opacity=parts,
    threshold=parts,
    scaling=st.sampled_from(["", "values", "percentiles"]),
    groups=st.integers(2, 20),
    row=st.none() | st.integers(0, 10**6),
    given=st.lists(st.tuples(words, words), max_size=3).map(tuple),
)
ends = st.tuples(parts, parts).map(sorted)
objects = st.builds(
    InstancesLook,
    run=words,
    by=words,
    colours=words,
    opacity=parts,
    visible=st.booleans(),
    hidden=st.lists(words, max_size=3).map(tuple),
    limits=st.lists(
        st.builds(lambda name, pair: (name, *pair), words, ends), max_size=3
    ).map(tuple),
)
addresses = st.builds(
    Address,
    slide=words,
    image=st.none() | st.integers(0, 99),
    view=st.none() | views,
    angle=st.integers(0, 35999).map(lambda hundredths: hundredths / 100),
    mirrored=st.booleans(),
    tones=st.builds(
        Tones,
        brightness=st.integers(-50, 50).map(lambda percent: percent / 100),
        contrast=st.sampled_from([0.25, 0.3299, 1, 1.516, 4]),
        gamma=st.sampled_from([0.25, 1, 2.639]),
    ),
    normalize=st.sampled_from(["", "macenko"]),
    reference=st.sampled_from(["", "he-standard"]),
    look=st.sampled_from(["", "as scanned", "difference", "eosin"]),
    model=words,
    features=st.lists(files, max_size=2).map(tuple),
    overlays=st.lists(looks, max_size=3).map(tuple),
    objects=st.none() | objects,
    divider=st.sampled_from(["raw | normalized", "slide | overlays"]),
    divided_at=parts,
    beside=st.lists(words, min_size=1, max_size=3).map(tuple),
    alone=st.booleans(),
)


@given(addresses)
@pytest.mark.slow
def test_an_address_survives_its_query(address):
    assert Address.parse(address.query) == address


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.binary(), max_size=3)))
def test_any_query_is_an_address(query):
    given = {name: values for name, values in query.items() if values}
    address = Address.parse(given)
    assert 0 <= address.divided_at <= 1
    assert Address.parse(address.query).overlays == address.overlays


@pytest.mark.parametrize(
    "text", ["", "1,2", "1,2,0", "1,2,-1", "nan,1,1", "1,inf,1", "a,b,c", "1,2,3,4"]
)
def test_a_place_that_is_none_is_left_out(text):
    assert Address.parse(f"slide=a.svs&at={text}").view is None


def test_what_is_not_said_is_not_in_the_query():
    assert Address(slide="a/b.svs").query == "slide=a/b.svs"
    assert Address().query == ""


@pytest.mark.parametrize(
    "text", ["", "4", "-1", "mm", "1 m", "left", "1,m", "360deg", "1deg1", "-3deg"]
)
def test_a_turn_that_is_none_is_no_turn(text):
    address = Address.parse(f"slide=a.svs&turn={text}")
    assert (address.angle, address.mirrored) == (0, False)


@pytest.mark.parametrize(
    "text", ["0.6,1,1", "0,5,1", "0,1,0", "nan,1,1", "0,nan,1", "0,1,1,1", "bright"]
)
def test_tones_out_of_bounds_are_as_scanned(text):
    assert Address.parse(f"slide=a.svs&tones={text}").tones == Tones()


def test_an_address_of_an_overlay_without_a_window_is_still_understood():
    look = OverlayLook.parse("run~tumour~viridis~0.5~0.25~1")
    assert (look.window, look.summary, look.threshold) == (None, "", 0.25)
    assert OverlayLook.parse("run~tumour~viridis~0.5~0.25~1~0.1~inf~mean") is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "~", "run~class~viridis~half~1~~", "~class~viridis~1~1~~"),
        *("run~class~viridis~1~1~~score", "run~class~viridis~1~1~~score:nan:1"),
        "run~class~viridis~1~1~~score:2:1",
    ],
)
def test_a_look_of_objects_that_is_none_is_left_out(text):
    assert InstancesLook.parse(text) is None


def test_a_look_of_objects_may_end_early():
    assert InstancesLook.parse("run~score") == InstancesLook(run="run", by="score")


def test_addresses_are_short_and_readable():
    overlay = OverlayLook(
        run="a-run-0001",
        channel="tumour",
        colours="viridis",
        opacity=0.5,
        threshold=0.25,
        window=(0.1, 0.9),
    )
    limits = (("area_um2", 20, math.inf), ("a, b", 0, 1))
    objects = InstancesLook(run="a", hidden=("x~y", "z"), limits=limits)
    address = Address(slide="a.svs", view=View(1, 2, 3), angle=90, overlays=(overlay,))
    address = address.model_copy(update={"objects": objects, "mirrored": True})
    assert address.query == (
        "slide=a.svs&at=1.0,2.0,3&turn=1m"
        "&overlay=a-run-0001~tumour~viridis~0.5~0.25~1~0.1,0.9"
        "&objects=a~class~viridis~1~1~x%257Ey,z~area_um2:20:inf,a%252C%2520b:0:1"
    )


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        (
            "slide=cases/b.svs&at=100.5,-3.0,0.25&turn=m&raw=1",
            {
                "slide": "cases/b.svs",
                "view": View(100.5, -3, 0.25),
                "mirrored": True,
                "look": "as scanned",
            },
        ),
        (
            (
                "overlay=a%257Eb~tumour~viridis~0.5~0.25~0~0.1~0.9~mean"
                "&overlay=r~~magma~2~0.25~1~0~1"
            ),
            {
                "overlays": (
                    OverlayLook(
                        run="a~b",
                        channel="tumour",
                        colours="viridis",
                        opacity=0.5,
                        threshold=0.25,
                        visible=False,
                        window=(0.1, 0.9),
                        summary="mean",
                    ),
                    OverlayLook(
                        run="r",
                        channel="",
                        colours="magma",
                        opacity=1,
                        threshold=0.25,
                        window=(0, 1),
                    ),
                )
            },
        ),
        (
            (
                "objects=r~score~viridis~0.6~1~a%252Cb,c~score%3A0.5%3Ainf"
                "&divider=raw+%7C+normalized@0.25&beside=x.svs&beside=y.svs&alone=1"
            ),
            {
                "objects": InstancesLook(
                    run="r",
                    by="score",
                    opacity=0.6,
                    hidden=("a,b", "c"),
                    limits=(("score", 0.5, math.inf),),
                ),
                "divider": "raw | normalized",
                "divided_at": 0.25,
                "beside": ("x.svs", "y.svs"),
                "alone": True,
            },
        ),
    ],
)
def test_addresses_of_earlier_versions_are_understood(query, fields):
    assert Address.parse(query) == Address(**fields)


def test_an_open_end_of_a_limit_stays_open():
    look = InstancesLook(run="a", limits=(("score", 0.5, float("inf")),))
    assert InstancesLook.parse(str(look)) == look
