"""Runs that find objects: each once, whole, and the same however the slide is tiled."""

from __future__ import annotations

import io
import threading
import time

import numpy as np
import pytest
import shapely
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import workbench as wb
from labelled_slides import Reading, blobs, reading_card, reading_model, slide_of
from patience import LONG_S, eventually
from workbench.app.panels.overlays.live import LiveOverlay
from workbench.app.viewer.viewer import Viewer
from workbench.app.widgets.background import Background
from workbench.area import Area
from workbench.errors import InvalidCardError, ModelError, RunError
from workbench.export.dispatch import export_run
from workbench.inference import engine, plan
from workbench.inference.instance_extraction import InstanceExtractor, extract_instances
from workbench.instances.counts import count as count_in
from workbench.instances.edits import InstanceEdits
from workbench.instances.instances import Instances
from workbench.instances.outline_codec import centroids
from workbench.instances.store import InstanceStore
from workbench.instances.tracing import trace
from workbench.instances.writer import InstanceWriter
from workbench.layers import live_instances
from workbench.layers.heatmap import HeatmapLayer
from workbench.layers.layer import Pyramid
from workbench.layers.live_instances import LiveInstanceLayer
from workbench.models.instance_decoders import LabelsDecoder, decoder_of
from workbench.results.instances import INSTANCES, MEASURES, LiveInstances
from workbench.tiling.coverage import within
from workbench.tiling.grid import Grid
from workbench.tiling.prefetch import Batch

SIZE = (360, 280)
LABELS = blobs(SIZE, 220, (2, 8))
LARGEST = 16
"""Pixels along the longer side of an object, at most."""


def truth_of(labels):
    """Return what a run over these labels must find."""
    points, ends = trace(labels)
    count = len(ends)
    kinds, scores = np.zeros(count, np.uint16), np.ones(count, np.float32)
    return Instances(points, ends, kinds, scores)


def outlines(found):
    return sorted(polygon.normalize().wkb for polygon in found.polygons)


@pytest.fixture
def run_on(monkeypatch, tmp_path):
    """Return a function that runs a reading network, and its objects."""
    runs = iter(range(1000))

    def run(slide, *, card=None, progress=None, cancel=None, out=None, **recipe):
        model = reading_model(**(card or {}))
        monkeypatch.setattr(plan, "find_model", lambda *_, **__: model)
        return engine.run(
            slide,
            out=out or tmp_path / f"run{next(runs)}-{time.monotonic_ns()}",
            progress=progress,
            cancel=cancel,
            **{"tissue_only": False, "device": "cpu", "batch_size": 4, **recipe},
        )

    return run


def everything(run):
    return run.instances.within(wb.Box(-500, -500, 5000, 5000))[1]


@pytest.mark.slow
@settings(
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    margin=st.integers(LARGEST + 1, 40),
    core=st.integers(20, 150),
    batch=st.integers(1, 9),
    seen=st.sampled_from([None, wb.Box(200, 150, 260, 200)]),
)
def test_the_same_objects_whatever_the_tiles(run_on, margin, core, batch, seen):
    """None twice, none cut, none missed, in any order."""
    card = {"tile_px": core + 2 * margin, "margin_px": margin}
    run = run_on(slide_of(LABELS), card=card, batch_size=batch, focus=lambda: seen)
    assert outlines(everything(run)) == outlines(truth_of(LABELS))
    assert run.record["objects"] == {
        "count": LABELS.max(),
        "classes": {"object": LABELS.max()},
        "merged": 0,
        "repeated": 0,
        "rescued": 0,
        "trimmed": 0,
    }


@pytest.mark.slow
@settings(
    max_examples=5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(margin=st.integers(6, 14), core=st.integers(20, 90))
def test_objects_larger_than_the_margin_are_merged(run_on, margin, core):
    labels = blobs(SIZE, 60, (10, 40), seed=3)
    card = {"tile_px": core + 2 * margin, "margin_px": margin}
    run = run_on(slide_of(labels), card=card)
    found, true = everything(run).polygons, truth_of(labels).polygons
    one, other = shapely.STRtree(found).query(true, predicate="intersects")
    shared = shapely.area(shapely.intersection(true[one], found[other]))
    assert np.count_nonzero(shared) == len(found) == len(true)
    np.testing.assert_allclose(shapely.area(found).sum(), shapely.area(true).sum())
    np.testing.assert_allclose(shared.sum(), shapely.area(true).sum())
    assert run.record["objects"]["merged"] > 0
    assert run.record["objects"]["repeated"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("mpp", [0.2527, 0.31, 0.4999, 0.63])
def test_no_object_is_lost_or_doubled_where_tiles_lie_between_pixels(run_on, mpp):
    """Rasters of neighbouring tiles then differ by a fraction of a pixel."""
    labels = blobs((900, 700), 500, (5, 12), seed=5)
    run = run_on(slide_of(labels, mpp=mpp), card={"tile_px": 90, "margin_px": 30})
    found = everything(run)
    assert len(found) == labels.max()
    x, y = (found.boxes[:, :2] + found.boxes[:, 2:]).T / 2
    at = labels[y.astype(int).clip(0, 699), x.astype(int).clip(0, 899)]
    assert len(np.unique(at[at > 0])) >= 0.99 * labels.max()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_network_that_wavers_at_seams_finds_each_object_once(
    run_on, monkeypatch, seed
):
    """As one that sees other surroundings: each tile moves all it finds by a pixel."""

    class Wavering(Reading):
        def forward(self, rgb):
            labels = super().forward(rgb)
            moved = [
                torch.roll(each, random.integers(-1, 2, 2).tolist(), (1, 2))
                for each in labels
            ]
            return torch.stack(moved)

    random = np.random.default_rng(seed)
    monkeypatch.setattr("labelled_slides.Reading", Wavering)
    labels = blobs((700, 600), 700, (4, 8), seed=seed)
    run = run_on(slide_of(labels), card={"tile_px": 96, "margin_px": 32})
    found = everything(run)
    x, y = ((found.boxes[:, :2] + found.boxes[:, 2:]) / 2).astype(int).T
    at = labels[y.clip(0, 599), x.clip(0, 699)]
    inside = at[at > 0]
    assert len(np.unique(inside)) == len(inside)
    assert abs(len(found) - labels.max()) <= 2  # at the slide's edge some move off it
    seams = run.record["objects"]
    assert seams["repeated"] + seams["rescued"] > 0


class Swelling(Reading):
    """Sees other surroundings in each tile: all it finds there is larger, or merged."""

    def forward(self, rgb):
        seen = super().forward(rgb)
        grown = []
        for each in seen:
            side = 2 * int(self.random.integers(0, 3)) + 1
            wide = torch.nn.functional.max_pool2d(each, side, 1, side // 2)
            grown.append(torch.where(each > 0, each, wide))
        labels = torch.stack(grown)
        joined = self.random.integers(2, size=len(labels)).astype(bool)
        labels[joined] = (labels[joined] / 2).ceil()  # by twos
        return labels


def overlaps(found):
    """Return the areas that pairs of objects share."""
    shapes = shapely.make_valid(found.polygons)
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    one, other = one[one < other], other[one < other]
    return shapely.area(shapely.intersection(shapes[one], shapes[other]))


@pytest.mark.parametrize(
    ("tile", "margin", "mpp"), [(96, 32, 0.5), (80, 20, 0.5), (120, 44, 0.37)]
)
@pytest.mark.slow
def test_no_two_objects_overlap_at_seams(run_on, monkeypatch, tile, margin, mpp):
    labels = blobs((500, 400), 900, (4, 9), seed=tile)
    Swelling.random = np.random.default_rng(margin)
    monkeypatch.setattr("labelled_slides.Reading", Swelling)
    card = {"tile_px": tile, "margin_px": margin}
    run, card_mpp = run_on(slide_of(labels, mpp=mpp), card=card), 0.5
    found = everything(run)
    # Where tiles lie between pixels, neighbours in one tile may share a corner.
    assert overlaps(found).max(initial=0) < (1e-6 if mpp == card_mpp else 0.2)
    seams = run.record["objects"]
    assert seams["trimmed"] > 0
    assert len(found) == seams["count"] > 0.4 * labels.max()
    assert shapely.is_valid(found.polygons).mean() > 0.99


def test_objects_of_several_rasters_may_overlap_at_seams(run_on, monkeypatch):
    """As a nucleus lies in its cell."""

    class Nested(Reading):
        def forward(self, rgb):
            labels = super().forward(rgb)
            wide = torch.nn.functional.max_pool2d(labels, 5, 1, 2)
            return torch.cat([torch.where(labels > 0, labels, wide), labels], dim=1)

    monkeypatch.setattr("labelled_slides.Reading", Nested)
    labels = blobs((400, 300), 120, (3, 6), seed=8)
    fields = {"classes": ("cell", "nucleus"), "tile_px": 96, "margin_px": 24}
    run = run_on(slide_of(labels), card=fields)
    counts = run.record["objects"]["classes"]
    assert counts == {"cell": labels.max(), "nucleus": labels.max()}


@pytest.mark.slow
def test_density_along_borders_is_that_inside(run_on):
    """Anchors are as dense near the edges of cores as far from them."""
    labels = blobs((1500, 1500), 6000, (3, 6), seed=2)
    run = run_on(slide_of(labels), card={"tile_px": 64, "margin_px": 16}, batch_size=64)
    columns = run.instances.columns(["x", "y"])
    step = run.grid.step
    away = np.min(
        [np.abs((columns[axis] + step / 2) % step - step / 2) for axis in "xy"], axis=0
    )
    band = 3.0
    share = 1 - (1 - 2 * band / step) ** 2
    near = np.count_nonzero(away < band)
    expected = len(away) * share
    assert abs(near - expected) < 4 * np.sqrt(expected * (1 - share))


def test_objects_are_measured(run_on):
    run = run_on(slide_of(LABELS))
    table = run.instances.frame()
    areas = np.bincount(LABELS.ravel())[1:] * 0.25
    assert table["area_um2"].sum() == pytest.approx((areas - 0.125).sum(), rel=1e-4)
    assert table["circularity"].between(0, 1).all()
    assert table["hematoxylin_od"].notna().all()


def test_a_run_says_how_many_there_are_from_afar(run_on):
    run = run_on(slide_of(LABELS))
    heatmap = run.heatmap
    assert heatmap.unit == "1/mm²"
    _, rows, columns = heatmap.values.shape
    down, right = (
        np.diff(np.minimum(np.arange(n + 1) * heatmap.cell, side))
        for n, side in zip((rows, columns), SIZE[::-1], strict=True)
    )
    mm2 = np.outer(down, right) * 0.5e-3**2  # of what of a cell lies on the slide
    counted = np.nansum(heatmap.values[0] * mm2)
    assert counted == pytest.approx(LABELS.max(), rel=1e-4)


def test_each_raster_of_labels_is_a_class(run_on):
    class Two(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, rgb):
            labels = self.inner(rgb)
            return torch.cat([labels, torch.where(labels > 100, labels, 0)], dim=1)

    fields = {"classes": ("cell", "nucleus")}
    model = reading_model(**fields)
    model.network = Two(model.network)
    slide = slide_of(LABELS)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("labelled_slides.Reading", lambda: model.network)
        run = run_on(slide, card=fields)
    large = LABELS.max() - 100
    assert run.record["objects"]["classes"] == {"cell": LABELS.max(), "nucleus": large}


REGION = shapely.Polygon([(61, 33), (233, 70), (190, 214), (90, 180)])
"""Cuts through cores, and through objects."""


@pytest.mark.parametrize("region", [(75, 50, 213, 197), Area.of(REGION).coordinates])
def test_what_is_found_lies_in_the_region_all_of_it_and_nothing_else(run_on, region):
    run = run_on(
        slide_of(LABELS),
        card={"tile_px": 96, "margin_px": 24},
        region=region,
        batch_size=3,
    )
    y, x = np.nonzero(LABELS)
    count = np.bincount(LABELS[y, x])[1:]
    centre = [np.bincount(LABELS[y, x], v)[1:] / count + 0.5 for v in (x, y)]
    place = Area.of(wb.Box(*region) if len(region) == 4 else region)
    columns = run.instances.columns(["x", "y"])
    assert place.holds(columns["x"], columns["y"]).all()
    inside = place.holds(*centre).sum()
    assert len(run.instances) == pytest.approx(inside, abs=1)  # on the edge itself
    facts = run.record["objects"]
    assert facts["count"] == len(run.instances)
    assert facts["outside"] > 10
    table = count_in(run.instances, {"all": wb.Box(-99, -99, 999, 999), "in": place})
    mm2 = place.px * 0.25e-6
    np.testing.assert_allclose(table["area_mm2"], mm2)
    np.testing.assert_allclose(table["per_mm2"], table["count"] / mm2)
    assert set(table["count"]) == {len(run.instances)}


def test_what_is_found_so_far_lies_in_the_region_too(run_on):
    box, seen = (75, 50, 213, 197), []

    def look(progress):
        if progress.done and progress.path and not seen:
            found = wb.open_run(progress.path).instances
            _, there = found.within(wb.Box(0, 0, *SIZE))
            seen.append((isinstance(found, LiveInstances), len(found), there))

    run_on(slide_of(LABELS), region=box, progress=look)
    ((live, number, there),) = seen
    assert live
    assert 0 < number == len(there)
    assert within(wb.Box(*box), *centroids(there).T).all()


@pytest.mark.parametrize(
    "place",
    [wb.Box(75, 50, 213, 197), Area.of(shapely.Point(180, 140).buffer(93.3))],
    ids=["box", "area"],
)
def test_the_density_of_cells_is_of_their_part_in_the_region(run_on, place):
    """Cells that the slide's edge or the region's cuts, and nothing outside it."""
    region = place.coordinates if isinstance(place, Area) else place
    card = {"tile_px": 96, "margin_px": 24, "cells": 4}
    run = run_on(slide_of(LABELS), region=region, card=card)
    heatmap = run.heatmap
    density, cell = heatmap.values[0], heatmap.cell
    edges = [np.arange(n + 1) * cell for n in density.shape]
    shape = Area.of(place).shape
    slide = shapely.box(0, 0, *SIZE)
    covered = np.zeros(density.shape)
    for row, column in np.ndindex(density.shape):
        (x0, x1), (y0, y1) = edges[1][column:][:2], edges[0][row:][:2]
        part = shapely.box(x0, y0, x1, y1).intersection(shape)
        covered[row, column] = part.intersection(slide).area
    np.testing.assert_array_equal(np.isnan(density), covered == 0)
    mm2 = covered * 0.25e-6
    known = covered > 0
    columns = run.instances.columns(["x", "y"])
    counts, *_ = np.histogram2d(columns["y"], columns["x"], edges)
    found = density[known] * mm2[known]
    # What lies on the edge of two cores may be counted with its anchor.
    assert np.abs(found - counts[known]).sum() <= 0.05 * counts.sum()
    assert found.sum() == pytest.approx(len(run.instances), rel=0.01)
    assert len(run.covered.tiles) == run.tiles_total

    layer = HeatmapLayer(run, Pyramid(SIZE, 64))
    for x, y in np.random.default_rng(4).uniform(0, SIZE, (200, 2)):
        inside = bool(within(place, np.array([x]), np.array([y]))[0])
        assert (layer.value_at(x, y) is not None) == inside
    top = layer.pyramid.max_zoom
    for x, y in np.ndindex(layer.pyramid.shape(top)[::-1]):
        tile = layer.tile(top, x, y)
        at = [np.arange(64) + 0.5 + 64 * n for n in (x, y)]
        drawn = np.zeros((64, 64), bool)
        if tile is not None:
            image = Image.open(io.BytesIO(tile.data)).convert("RGBA")
            drawn = np.asarray(image)[..., 3] > 0
        np.testing.assert_array_equal(drawn, Area.of(place).lattice(*at))


def test_a_density_is_of_what_was_looked_at(run_on, tmp_path):
    """While it is under way, after a tile has failed, and once all is done."""
    cancel, out, slide = threading.Event(), tmp_path / "half", slide_of(LABELS)
    card = {"tile_px": 96, "margin_px": 24}

    def stop(progress):
        if progress.done >= 10:
            cancel.set()

    def densities(run):
        done = run.covered.tiles
        cores = [run.grid.core(tile) for tile in done.tolist()]
        area = sum(core.area for core in cores)
        whole = count_in(run.instances, {"slide": slide.box}).iloc[-1]
        assert whole["area_mm2"] == pytest.approx(area * 0.25e-6)
        assert whole["place_mm2"] == pytest.approx(slide.box.area * 0.25e-6)
        assert whole["per_mm2"] == pytest.approx(whole["count"] / whole["area_mm2"])
        np.testing.assert_array_equal(done, run.instances.covered.tiles)
        return len(done), whole["count"]

    half = run_on(slide, card=card, batch_size=2, progress=stop, cancel=cancel, out=out)
    done, number = densities(half)
    assert 10 <= done < len(half.grid)
    away = next(i for i in range(len(half.grid)) if i not in half.covered.tiles)
    table = count_in(half.instances, {"away": half.grid.core(away)})
    assert table["area_mm2"].tolist() == [0, 0]
    assert table["per_mm2"].isna().all()
    assert table["per_mm2_high"].isna().all()
    all_done = run_on(slide, card=card, batch_size=2, out=out)
    assert densities(all_done) == (len(half.grid), LABELS.max())
    assert number < LABELS.max()


def test_a_tile_that_failed_is_not_looked_at(run_on, monkeypatch):
    class Broken(Reading):
        def forward(self, rgb):
            labels = super().forward(rgb)
            labels[labels.amax((1, 2, 3)) > LABELS.max() - 3] = torch.nan
            return labels

    monkeypatch.setattr("labelled_slides.Reading", Broken)
    run = run_on(slide_of(LABELS), card={"tile_px": 96, "margin_px": 24})
    assert 0 < run.tiles_failed < run.tiles_total
    covered = run.instances.covered
    assert len(covered.tiles) == run.tiles_total - run.tiles_failed
    np.testing.assert_array_equal(covered.tiles, run.covered.tiles)
    columns = run.instances.columns(["x", "y"])
    assert covered.holds(columns["x"], columns["y"]).all()


def test_files_of_older_versions_leave_out_what_lies_outside(run_on, tmp_path):
    whole = run_on(slide_of(LABELS), out=tmp_path / "whole")
    part = run_on(slide_of(LABELS), out=tmp_path / "part", region=(75, 50, 213, 197))
    bare = whole.instances.take(np.arange(len(whole.instances)))
    wanted = count_in(part.instances, {"slide": wb.Box(0, 0, *SIZE)})
    file = part.path / INSTANCES
    with InstanceWriter(file, classes=["object"], measures=MEASURES, mpp=0.5) as old:
        old.append(bare)
    found = wb.open_run(part.path).instances
    assert len(found) == LABELS.max()
    assert len(found.frame()) == wanted["count"].iloc[-1] < LABELS.max()
    again = count_in(found, {"slide": wb.Box(0, 0, *SIZE)})
    assert again.equals(wanted)
    rows = export_run(wb.open_run(part.path), tmp_path / "a.csv").read_text()
    assert rows.count("\n") == wanted["count"].iloc[-1] + 1
    edits = InstanceEdits(found)
    edits.delete([int(np.setdiff1d(np.arange(len(found)), found.gone)[0])], by="ann")
    assert len(edits.current.frame()) == wanted["count"].iloc[-1] - 1


def test_while_it_runs_the_objects_so_far_can_be_looked_at(run_on, tmp_path):
    out, seen = tmp_path / "live", []

    def look(progress):
        if progress.stage == "tiles" and progress.path:
            found = wb.open_run(progress.path).instances
            seen.append((type(found), len(found), everything_of(found)))

    def everything_of(found):
        return len(found.within(wb.Box(0, 0, *SIZE))[0])

    run = run_on(slide_of(LABELS), out=out, progress=look)
    kinds, counts, near = zip(*seen, strict=True)
    assert set(kinds) == {LiveInstances}
    assert list(counts) == sorted(counts) == list(near)
    assert 0 < counts[len(counts) // 2] < counts[-1] == LABELS.max()
    assert isinstance(run.instances, InstanceStore)
    assert len(run.instances) == LABELS.max()


def test_cancelled_and_resumed_gives_the_same_file(run_on, tmp_path):
    slide, whole = slide_of(LABELS), run_on(slide_of(LABELS), batch_size=2)
    cancel, out = threading.Event(), tmp_path / "resumed"

    def stop(progress):
        if progress.done >= 8:
            cancel.set()

    first = run_on(slide, batch_size=2, progress=stop, cancel=cancel, out=out)
    assert first.status == "cancelled"
    assert 0 < len(first.instances) < len(whole.instances)
    run = run_on(slide, batch_size=2, out=out)
    files = [(r.path / "instances.parquet").read_bytes() for r in (run, whole)]
    assert files[0] == files[1]


def painted(layer):
    """Return how opaque the whole slide is painted, uint8 (height, width)."""
    (tile,) = [layer.tile(layer.pyramid.max_zoom, 0, 0)]
    with Image.open(io.BytesIO(tile.data)) as image:
        return np.asarray(image.convert("RGBA"))[: SIZE[1], : SIZE[0], 3]


@pytest.mark.slow
def test_what_is_found_so_far_is_drawn_until_the_run_has_ended(run_on, tmp_path):
    slide, overlays = slide_of(LABELS), []
    pyramid, viewer = Pyramid(slide.size, 512), Viewer(slide)

    def names():
        return [handle.layer.name for handle in viewer.layers]

    def look(progress):
        if progress.done < 8 or overlays:
            return
        run = wb.open_run(progress.path)
        layer = LiveInstanceLayer(run.instances, run.card.palette, pyramid)
        seen = painted(layer)
        drawn = np.unique(LABELS[seen > 0])
        assert 0 not in drawn
        # Those at seams are claimed from both sides until the run has ended.
        assert 0 < len(drawn) <= len(run.instances) < LABELS.max()
        sides = [np.roll(LABELS, step, axis) for step in (-1, 1) for axis in (0, 1)]
        inside = np.logical_and.reduce([side == LABELS for side in sides])
        outlines = np.isin(LABELS, drawn) & ~inside
        assert (seen[outlines] > 0).mean() > 0.9
        more = {"channel": "", "remove": print}
        overlays.append(LiveOverlay(Background(print), run, viewer, pyramid, **more))
        assert "instances so far" in names()
        overlays[0].visible.value = False
        assert not viewer.layers[names().index("instances so far")].visible

    run_on(slide, batch_size=2, progress=look, out=tmp_path / "live")
    assert "instances so far" in names()
    overlays[0].refresh()
    assert "instances so far" not in names()
    overlays[0].detach()
    assert viewer.layers == []


def test_a_layer_under_way_is_drawn_anew_every_two_seconds_at_most(monkeypatch):
    class Growing:
        classes = ("nucleus",)
        version = 0

    clock = iter([10.0, 11.0, 12.5, 12.6])
    objects = Growing()
    layer = LiveInstanceLayer(objects, ((0, 158, 115),), Pyramid((512, 512), 512))
    monkeypatch.setattr(live_instances, "_now", lambda: next(clock))
    versions = []
    for _ in range(4):
        objects.version += 1
        versions.append(layer.version)
    assert versions == ["1", "1", "3", "3"]


def test_a_model_that_gives_no_number_is_refused(run_on, monkeypatch):
    class Broken(torch.nn.Module):
        def forward(self, rgb):
            return torch.full((len(rgb), 1, *rgb.shape[2:]), torch.nan)

    monkeypatch.setattr("labelled_slides.Reading", Broken)
    with pytest.raises(ModelError, match="not a finite number"):
        run_on(slide_of(LABELS))


def test_a_slide_without_objects(run_on):
    run = run_on(slide_of(np.zeros(SIZE[::-1], np.int32)))
    assert len(run.instances) == 0
    assert run.record["objects"]["count"] == 0
    values = run.heatmap.values
    assert (values[np.isfinite(values)] == 0).all()


def test_a_run_of_another_task_has_no_objects(tmp_path, monkeypatch):
    from fakes import FakeSlide, fake_model  # noqa: PLC0415 - for this one alone

    monkeypatch.setattr(plan, "find_model", lambda *_, **__: fake_model())
    run = engine.run(FakeSlide(), out=tmp_path / "r", tissue_only=False, device="cpu")
    with pytest.raises(RunError, match="does not predict instances"):
        _ = run.instances


def test_labels_of_another_size_are_brought_to_that_of_the_tile(run_on, monkeypatch):
    class Half(torch.nn.Module):
        def forward(self, rgb):
            from labelled_slides import WHITE  # noqa: PLC0415

            rgb = (rgb[..., ::2, ::2] * 255).round()
            factors = torch.tensor([65536.0, 256.0, 1.0])[:, None, None]
            numbers = (rgb * factors).sum(1)
            return torch.where(numbers == WHITE, 0.0, numbers)[:, None]

    monkeypatch.setattr("labelled_slides.Reading", Half)
    run = run_on(slide_of(LABELS))
    assert len(run.instances) == pytest.approx(LABELS.max(), abs=3)


def test_the_least_score_of_a_recipe_leaves_the_card_as_it_is(run_on, monkeypatch):
    labelled = LabelsDecoder.__call__

    def unsure(self, maps):
        labels, classes, scores = labelled(self, maps)
        return labels, classes, scores * 0.4

    monkeypatch.setattr(LabelsDecoder, "__call__", unsure)
    shipped = reading_card().min_score
    for least, number in ((None, LABELS.max()), (0.4, LABELS.max()), (0.5, 0)):
        run = run_on(slide_of(LABELS), min_score=least)
        assert len(run.instances) == number
        assert run.card.min_score == shipped
        assert run.recipe.min_score == least


def test_the_network_is_only_so_far_ahead():
    """Batches wait for slow post-processing; so memory does not grow."""
    card = reading_card()
    grid = Grid(SIZE, 1.0, card.tile_px, card.margin_px)
    finder = InstanceExtractor(card, grid, 0.5)
    drawn, blocked = [], threading.Event()

    def slowly(*_):
        assert blocked.wait(LONG_S)

    finder.extract = slowly

    def answered():
        for number in range(20):
            drawn.append(number)
            pixels = np.zeros((2, card.tile_px, card.tile_px, 3), np.uint8)
            maps = np.zeros((2, 1, card.tile_px, card.tile_px), np.float32)
            yield Batch(number, np.arange(2), pixels), maps

    found = extract_instances(answered(), finder)
    thread = threading.Thread(target=lambda: next(found))
    thread.start()
    eventually(lambda: drawn)
    time.sleep(0.3)  # in which one that does not wait would draw on
    assert len(drawn) <= 4
    blocked.set()
    thread.join()
    assert len(list(found)) == 19


def test_labels_are_numbered_through():
    decoder = LabelsDecoder(reading_card(classes=("a", "b")))
    maps = np.zeros((2, 4, 4), np.float32)
    maps[0, 0, 0], maps[0, 2, 2], maps[1, 0, 0] = 7, 3, 1000
    labels, classes, scores = decoder(maps)
    assert labels[0, 0, 0] == 1
    assert labels[0, 2, 2] == 2
    assert labels[1, 0, 0] == 3
    assert classes.tolist() == [0, 0, 1]
    assert scores.tolist() == [1, 1, 1]
    with pytest.raises(InvalidCardError, match="3 rasters"):
        decoder(np.zeros((3, 4, 4), np.float32))


def test_an_unknown_decoder_is_refused():
    with pytest.raises(ModelError, match="'labels'"):
        decoder_of(reading_card(decoder="guessing"))


@pytest.mark.parametrize("fields", [{"decoder": ""}, {"margin_px": 0}])
def test_a_card_without_a_decoder_or_a_margin_is_refused(fields):
    with pytest.raises(InvalidCardError, match=r"decoder|margin_px"):
        reading_card(**fields)
