"""Export of annotations as DICOM; the suffix selects the object.

Needs no DICOM library until something is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from workbench.dicom.identifiers import import_dicom
from workbench.errors import AnnotationError
from workbench.export.features import complete_or_absent

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from workbench.annotations.annotation import Annotation
    from workbench.slide.slide import Slide

ANNOTATION_EXPORTS: Final[dict[str, str]] = {
    ".ann.dcm": "write_bulk",
    ".seg.dcm": "write_segmentation",
    ".sr.dcm": "write_annotation_report",
}
"""Name of the writer of each suffix, for annotations."""


def export_annotations(
    slide: Slide,
    annotations: Sequence[Annotation],
    path: str | os.PathLike[str],
    *,
    source: str | os.PathLike[str] | None = None,
) -> Path:
    """Write annotations as a DICOM object.

    Parameters
    ----------
    slide : Slide
        The slide of the annotations; it must have a pixel size.
    annotations : sequence of Annotation
    path : path
        Ends in .ann.dcm (Microscopy Bulk Simple Annotations, without holes), .seg.dcm
        (the areas as a binary Segmentation with cells of 4 µm or more) or .sr.dcm
        (structured report, TID 1500, in mm on the glass).
    source : path, optional
        DICOM slide that the object refers to. Default: the slide if it is DICOM, else
        the one that `write_dicom_slide` makes of it.

    Returns
    -------
    Path
        The file; it is written completely or not at all.

    Raises
    ------
    AnnotationError
        If the suffix is none of these, there is nothing to write, or the file cannot be
        written.
    RunError
        If `source` cannot be used.
    MissingMppError
        If the pixel size is not known.
    MissingPackageError
        If the extra `dicom` is not installed.
    """
    path = Path(path)
    name = path.name.lower()
    suffix = next((each for each in ANNOTATION_EXPORTS if name.endswith(each)), None)
    if suffix is None:
        reason = f"its suffix is none of {', '.join(ANNOTATION_EXPORTS)}"
        raise AnnotationError(path.name, reason)
    if not annotations:
        raise AnnotationError(path.name, "there are no annotations to write")
    module = import_dicom("workbench.export.dicom.annotations")
    reference = None if source is None else Path(source)
    origin = module.origin_of(slide, annotations, reference)
    try:
        with complete_or_absent(path) as part:
            getattr(module, ANNOTATION_EXPORTS[suffix])(annotations, origin, part)
    except OSError as error:
        raise AnnotationError(path.name, str(error.strerror or error)) from error
    return path
