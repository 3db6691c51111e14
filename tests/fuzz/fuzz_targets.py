"""What a person does with a file of each kind; all of it may raise `WorkbenchError`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import workbench as wb
from workbench.geometry import Box


def slide(path: Path) -> None:
    """Open it, look at it everywhere, with and without its colours applied."""
    from workbench.layers.slide import SlideLayer  # noqa: PLC0415
    from workbench.tissue import find_tissue  # noqa: PLC0415

    with wb.open_slide(path) as opened:
        repr(opened)
        width, height = opened.size
        opened.thumbnail(64)
        opened.read(Box(-10, -10, 60, 50))
        opened.read(Box.at(max(0, width - 70), max(0, height - 70), 90, 90))
        opened.read(Box(1, 1, 101, 101), size=(50, 50))
        layer = SlideLayer(opened)
        for zoom in range(min(3, layer.pyramid.max_zoom + 1)):
            layer.tile(zoom, 0, 0)
        for name in opened.associated:
            _tolerated(lambda name=name: opened.associated[name])
        find_tissue(opened)
        opened._repr_mimebundle_()
    with wb.open_slide(path, icc=True) as opened:
        opened.thumbnail(64)


def geojson(path: Path) -> None:
    """Import it into the annotations of a slide, and write it again."""
    with _blank() as opened, tempfile.TemporaryDirectory() as folder:
        marks = wb.open_annotations(opened, folder=folder)
        marks.read(path, by="somebody")
        marks.write(Path(folder) / "again.geojson")
        marks.to_frame()


def journal(path: Path) -> None:
    """Open a slide's annotations, add one and take one away."""
    from shapely.geometry import Point  # noqa: PLC0415

    with wb.open_slide(path / "slide.png") as opened:
        marks = wb.open_annotations(opened, folder=path / "marks")
        before = len(marks)
        [added] = marks.put(wb.Annotation(geometry=Point(3, 4)), by="somebody")
        assert len(marks) == before + 1
        marks.delete(added.id, by="somebody")
        marks.to_frame()
        again = wb.open_annotations(opened, folder=path / "marks")
        assert {each.id for each in again} == {each.id for each in marks}


def reference(path: Path) -> None:
    """Load it, and show it."""
    loaded = wb.load_reference(str(path))
    loaded.swatches()
    repr(loaded)


def model(path: Path) -> None:
    """Load a model without trust, then with."""
    from workbench.models.registry import find_model  # noqa: PLC0415

    _tolerated(lambda: find_model(path))
    find_model(path, trust=True)


def run(path: Path) -> None:
    """Open a run, look at what was found, and export it."""
    from workbench.export import export_run  # noqa: PLC0415

    found = wb.open_run(path)
    repr(found)
    found._repr_html_()
    found.recipe.replace(batch_size=2)
    heatmap = found.heatmap
    heatmap.values.sum()
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".csv", ".geojson", ".ome.tiff"):
            _tolerated(
                lambda suffix=suffix: export_run(found, Path(folder) / f"a{suffix}")
            )
    if found.card.task == "instances":
        found.instances.frame()


def features(path: Path) -> None:
    """Read all of it, place its tiles, and write them for another tool."""
    from workbench.features.opening import read_features  # noqa: PLC0415
    from workbench.features.placement import place  # noqa: PLC0415
    from workbench.features.stored import Request  # noqa: PLC0415

    file = next(iter(sorted(path.glob("tile_embeddings/*[tz]"))), path)
    stored = read_features(file, Request())
    found = place(stored, None, tile_size_level0=512)
    repr(found)
    found.finite()
    if found.scores is not None:
        found.scores.percentiles()
    with tempfile.TemporaryDirectory() as folder:
        wb.export_features(found, Path(folder) / "again.parquet")


def _tolerated(call) -> None:
    """Call, and go on after an error that says what is wrong."""
    try:
        call()
    except wb.WorkbenchError:
        return


def _blank():
    import numpy as np  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    path = Path(tempfile.gettempdir()) / "fuzz-blank.png"
    if not path.exists():
        Image.fromarray(np.full((100, 100, 3), 240, np.uint8)).save(path)
    return wb.open_slide(path)


TARGETS = {
    "tiff": slide,
    "image": slide,
    "zarr": slide,
    "dicom": slide,
    "features": features,
    "geojson": geojson,
    "journal": journal,
    "reference": reference,
    "model": model,
    "run": run,
}
