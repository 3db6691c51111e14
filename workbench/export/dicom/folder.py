"""All DICOM objects of a run, in a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.export.dicom.instances import write_bulk_annotations
from workbench.export.dicom.rasters import (
    write_class_map_pyramid,
    write_fractional,
    write_label_map,
    write_parametric_map,
)
from workbench.export.dicom.report import write_run_report

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.results.run import Run


def write_dicom_folder(run: Run, path: Path, *, source: Path | None = None) -> None:
    """Write all objects that a run has, with a parametric map for each class.

    Of instances: bulk annotations, and maps of their density. Of probabilities: a
    fractional segmentation, and of several classes class map (large ones as a pyramid)
    and label map. Of all: a report.

    Raises
    ------
    RunError
        If the run has not ended, or the DICOM slide to refer to cannot be used.
    """
    path.mkdir(parents=True)
    classes, task = run.heatmap.classes, run.card.task
    if task == "instances":
        write_bulk_annotations(run, path / "result.ann.dcm", source=source)
    elif task in {"classification", "segmentation"}:
        write_fractional(run, path / "result.seg.dcm", source=source)
        if len(classes) > 1:
            write_class_map_pyramid(run, path, "result", source=source)
            write_label_map(run, path / "result.labelmap.dcm", source=source)
    for number, name in enumerate(classes, 1):
        end = "" if len(classes) == 1 else f"-{number}"
        file = path / f"result{end}.pm.dcm"
        write_parametric_map(run, file, channel=name, source=source)
    write_run_report(run, path / "result.sr.dcm", source=source)
