"""Writing a report to a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import StudyError
from workbench.report.run_report import run_report
from workbench.report.study_report import study_report
from workbench.results.run import Run, open_run
from workbench.study.analysis import Analysis
from workbench.study.study import Study, open_study
from workbench.study.study_record import RECORD
from workbench.system.atomic_files import replace_file
from workbench.system.paths import is_file

if TYPE_CHECKING:
    from workbench.slide.slide import Slide


def write_report(
    source: Run | Study | Analysis | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    slide: Slide | None = None,
    analysis: str = "",
    by: str = "",
) -> Path:
    """Write the report of a run or a study: one HTML file that needs no network.

    It holds pictures, tables and plots, prints well, and runs no scripts. For research
    use only.

    Parameters
    ----------
    source : Run, Study, Analysis or path
        A path is that of a run folder or a study.
    path : path
        File to write, which ends in .html.
    slide : Slide, optional
        Slide of a run. Default: opened by the path in the record of the run.
    analysis : str
        Name of the analysis of a study that has several.
    by : str
        Column of a study whose groups are compared.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StudyError
        If the file has another suffix, the study has no such analysis or column.
    RunError
        If there is no run or study at the path.

    Examples
    --------
    >>> wb.write_report(run, "report.html").name
    'report.html'
    """
    file = Path(path)
    if file.suffix.lower() not in (".html", ".htm"):
        message = f"'{file}' does not end in .html."
        raise StudyError(message, "A report is HTML; a browser prints it as PDF.")
    if isinstance(source, str | os.PathLike):
        folder = Path(source)
        source = open_study(folder) if is_file(folder / RECORD) else open_run(folder)
    if isinstance(source, Study):
        source = source.analysis(analysis)
    if isinstance(source, Analysis):
        page = study_report(source, by=by)
    else:
        page = run_report(source, slide)
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(file, page.encode())
    return file
