"""The examples in the docstrings of public names give what they say."""

from __future__ import annotations

import doctest
import inspect

import numpy as np
import pytest

import workbench as wb
from made_channels import made_values, write_ome

WITHOUT = {
    "Annotations": "open_annotations",
    "Normalizer": "fit_normalizer",
    "Progress": "run",
    "Reference": "load_reference",
    "Registration": "register",
    "Run": "run",
    "Slide": "Region",
    "Study": "make_study",
    "Workbench": "the notebooks",
    "WorkbenchError": "nothing to call",
    "build_index": "FeatureIndex",
    "open_index": "FeatureIndex",
    "open_registration": "register",
    "open_slide": "Region",
    "open_study": "make_study",
}
"""Names without an example, with where one is."""

NAMES = [name for name in wb.__all__ if callable(getattr(wb, name))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    for name, scanner in (("slide.tif", "borealis"), ("other.tif", "aurora")):
        wb.synthetic.write_slide(
            folder / name, size=(768, 768), seed=3, scanner=scanner
        )
    values = made_values(2, 300, 300)
    write_ome(folder / "panel.ome.tif", values, names=["DAPI", "CD3"])
    return folder


@pytest.fixture(scope="module")
def slide(folder):
    with wb.open_slide(folder / "slide.tif") as opened:
        yield opened


@pytest.fixture(scope="module")
def run(folder, slide):
    return wb.run(slide, model="tissue-classes", out=folder / "runs" / "slide")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT])
@pytest.mark.slow
def test_an_example_gives_what_it_says(name, folder, slide, run, monkeypatch):
    monkeypatch.chdir(folder)
    text = inspect.getdoc(getattr(wb, name))
    names = {"wb": wb, "np": np, "slide": slide, "run": run}
    example = doctest.DocTestParser().get_doctest(text, names, name, None, None)
    assert example.examples, f"{name} has no example"
    said = []
    runner = doctest.DocTestRunner()
    runner.run(example, out=said.append)
    assert not runner.failures, "".join(said)


def test_only_known_names_are_without_an_example():
    assert set(WITHOUT) <= set(NAMES)
    for name in WITHOUT:
        assert ">>>" not in inspect.getdoc(getattr(wb, name))
