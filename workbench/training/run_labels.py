"""Vectors of a run, with the labels that the annotations of its slide give them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.annotations.collection import FOLDER, open_annotations
from workbench.annotations.geojson import read_geojson
from workbench.errors import TrainingError
from workbench.features.formats.run import features_of
from workbench.slide.slide import open_slide
from workbench.training.embedded import EmbeddedSlide
from workbench.training.tile_labels import label_tiles

if TYPE_CHECKING:
    import os

    from workbench.results.run import Run
    from workbench.slide.slide import Slide
    from workbench.training.tile_labels import TileLabels


def label_run(
    run: Run,
    *,
    geojson: str | os.PathLike[str] | None = None,
    folder: str | os.PathLike[str] = FOLDER,
    min_coverage: float = 0.5,
) -> tuple[EmbeddedSlide, TileLabels]:
    """Return the tiles of an embedding run, and their labels from annotations.

    Parameters
    ----------
    run : Run
        Run of an embedding model, finished or under way. Its slide is opened at the
        path at which the run read it.
    geojson : path, optional
        File of annotations; by default those that the app saved.
    folder : path
        Folder of the app's annotations.
    min_coverage : float
        See `label_tiles`.

    Raises
    ------
    TrainingError
        If the run has no vectors, or the file at its path is another slide now.
    SlideError
        If the slide cannot be opened.
    AnnotationError
        If the annotations cannot be read.
    """
    embedded = EmbeddedSlide.of(features_of(run))
    with _open_slide_of(run) as slide:
        annotations = (
            open_annotations(slide, folder=folder)
            if geojson is None
            else read_geojson(Path(geojson), frame=slide.scanned_frame)
        )
        found = label_tiles(embedded.boxes, annotations, min_coverage=min_coverage)
    return embedded, found


def _open_slide_of(run: Run) -> Slide:
    """Open the slide of a run, with the pixel size that was given then."""
    facts = run.record["slide"]
    given = facts.get("mpp_from") == "given by the user"
    slide = open_slide(facts["path"], mpp=tuple(facts["stored_mpp"]) if given else None)
    if slide.id != facts["id"]:
        slide.close()
        message = f"'{facts['path']}' is not the slide of '{run.path}' any more."
        raise TrainingError(message, "Run the encoder on it again.")
    return slide
