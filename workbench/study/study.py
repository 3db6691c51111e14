"""`Study`: a folder with a table of slides, their runs and what was made of them.

A study is a folder:

study.json      format, name and version
slides.parquet  a row per slide: name, path, case, mpp, the user's columns, and what
                was found by opening it (id, size)
runs/           a folder for each analysis, with a run folder for each slide
annotations/, features/, reviews/, reports/
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import StudyError
from workbench.progress import counted_noun
from workbench.slide.pixel_size import parse_mpp
from workbench.slide.slide import open_slide
from workbench.study.slide_table import FOUND, SlideRow, prioritized, slide_rows
from workbench.study.study_record import RECORD, SLIDES, read_record, write_table
from workbench.study.study_reference import reference_in, saved_reference
from workbench.system.atomic_files import disk_errors, replace_file

if TYPE_CHECKING:
    import os
    import threading
    from collections.abc import Callable, Sequence

    import pandas as pd
    import pyarrow.compute
    import pyarrow.dataset

    from workbench.reading.readings import Readings
    from workbench.recipe import Recipe
    from workbench.slide.slide import Slide
    from workbench.stain.references import Reference
    from workbench.study.analysis import Analysis
    from workbench.study.study_progress import StudyProgress

_WORKING: Final = ("shard", "stage", "stage_gb", "threads")


class Study:
    """A folder of slides, their runs and results; made by `open_study`.

    Attributes
    ----------
    path : Path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: tuple[int, list[SlideRow]] = (0, [])

    @property
    def name(self) -> str:
        """Name of the study; that of its folder when it was made."""
        return str(read_record(self.path)["name"])

    @property
    def stamp(self) -> int:
        """Number that changes when the table of slides is written."""
        with disk_errors(self.path):
            return (self.path / SLIDES).stat().st_mtime_ns

    @property
    def slides(self) -> pd.DataFrame:
        """The table of slides, a row per slide.

        Columns are `slide` (unique name), `path` (relative to the study if it lies
        beside it), `case`, `mpp` (given by the user, or empty), the user's columns, and
        what was found: `id` of the content, `width` and `height` in level-0 pixels,
        `slide_mpp` (µm per pixel, NaN if unknown), `problem` (why it cannot be opened).
        """
        import pandas as pd  # noqa: PLC0415 - slow to import

        file = self.path / SLIDES
        try:
            table = pd.read_parquet(file)
            missing = [name for name in ("slide", "path", *FOUND) if name not in table]
        except Exception as error:  # pyarrow raises many
            message = f"'{file}' cannot be read as the slides of a study: {error}."
            raise StudyError(
                message, "Make the study again from its slides."
            ) from error
        if missing:
            message = f"'{file}' has no column '{missing[0]}'."
            raise StudyError(message, "Make the study again.")
        return table

    @property
    def rows(self) -> list[SlideRow]:
        """The slides, in the order of the table."""
        stamp = self.stamp
        if self._rows[0] != stamp:
            self._rows = stamp, slide_rows(self.slides, self.path)
        return list(self._rows[1])

    def row(self, name: str) -> SlideRow:
        """Return the slide of that name.

        Raises
        ------
        StudyError
            If there is none.
        """
        found = next((row for row in self.rows if row.name == name), None)
        if found is None:
            message = f"There is no slide '{name}' in the study '{self.path}'."
            raise StudyError(message, "Its table of slides lists the names.")
        return found

    def open_slide(self, name: str) -> Slide:
        """Open a slide of the study by its name.

        Raises
        ------
        StudyError
            If there is none of that name.
        SlideError
            If it cannot be opened.
        """
        row = self.row(name)
        return open_slide(row.path, mpp=parse_mpp(row.mpp) if row.mpp else None)

    @property
    def analyses(self) -> dict[str, Analysis]:
        """The recipes that were run over the slides, by name."""
        from workbench.study.analysis import analyses  # noqa: PLC0415 - imports this

        return analyses(self)

    def analysis(self, name: str = "") -> Analysis:
        """Return an analysis by name; without a name, the only one.

        Raises
        ------
        StudyError
            If there is none, or several to choose from.
        """
        from workbench.study.analysis import find_analysis  # noqa: PLC0415 - imports this

        return find_analysis(self, name)

    @property
    def reference(self) -> str:
        """Normalization reference of the study, as `Recipe.reference`; empty: none.

        Analyses whose recipe names none are made with it.
        """
        return reference_in(self.path, read_record(self.path))

    def set_reference(self, reference: Reference | str) -> None:
        """Set the normalization reference of the study.

        Parameters
        ----------
        reference : Reference or str
            Colours, such as the `medoid` of `wb.stain.advise`, which are saved in the
            study; or a text as of `Recipe.reference`; empty: none.
        """
        text = saved_reference(self.path, reference)
        record = {**read_record(self.path), "reference": text}
        replace_file(self.path / RECORD, json.dumps(record, indent=2).encode())

    def prioritize(self, slides: Sequence[str], priority: float = 1.0) -> None:
        """Let workers draw slides before others; those that work notice it, too.

        Parameters
        ----------
        slides : sequence of str
            Names of slides.
        priority : float
            The highest is drawn first; 0: as others. It is the column `priority` of the
            table of slides, which may be edited as well.

        Raises
        ------
        StudyError
            If there is no slide of a name.
        """
        names = [self.row(name).name for name in slides]
        write_table(self.path, prioritized(self.slides, names, priority))

    def readings(self) -> Readings:
        """Return the worklists of the study, and what readers have answered."""
        from workbench.reading.readings import Readings  # noqa: PLC0415 - loads numpy

        cases = {row.name: row.case for row in self.rows}
        return Readings(self.path, cases, self.open_slide)

    def run(
        self,
        recipe: Recipe | None = None,
        *,
        name: str = "",
        workers: int | str | Any = None,
        progress: Callable[[StudyProgress], None] | bool | None = None,
        cancel: threading.Event | None = None,
        **options: Any,
    ) -> Analysis:
        """Run a recipe over all slides; called again, what is left of it.

        Any number of processes on any machines that see the folder may run it at the
        same time: each slide is run once. A slide that cannot be run is a row with its
        reason.

        Parameters
        ----------
        recipe : Recipe, optional
        name : str
            Name of the analysis. Default: those of the model and the normalization.
        workers : int, str or Client, optional
            Number of processes; 0: this process works itself. Default: one for each
            GPU, or one that uses all cores. Or a Dask cluster (extra `dask`): the
            address of its scheduler, "local", "slurm:JOBS", "ssh:HOST,HOST", or a
            `distributed.Client`.
        progress : callable or True, optional
            Called with a `StudyProgress`; True draws a bar.
        cancel : threading.Event, optional
            Ends the work after the current chunks.
        **options
            Fields of `Recipe`, and of `WorkerOptions`: shard, stage, stage_gb, threads.

        Returns
        -------
        Analysis
            Its slides may be refused, or left after `cancel`: see `Analysis.states`.

        Raises
        ------
        RecipeError, ModelError
            If an option is out of bounds, or the model cannot be used.
        StudyError
            If the processes cannot work.
        """
        from workbench.recipe import Recipe  # noqa: PLC0415 - not to look at a study
        from workbench.study.analysis import analysis_of  # noqa: PLC0415 - imports this
        from workbench.study.running import run_analysis  # noqa: PLC0415 - loads torch
        from workbench.study.worker import WorkerOptions  # noqa: PLC0415

        kept = {key: options.pop(key) for key in _WORKING if key in options}
        recipe = (recipe or Recipe()).replace(**options)
        analysis = analysis_of(self, recipe, name)
        run_analysis(
            analysis, workers, WorkerOptions(**kept), progress=progress, cancel=cancel
        )
        return analysis

    def table(self, analysis: str = "") -> pd.DataFrame:
        """Return a row per slide: the table of slides with status and results.

        Parameters
        ----------
        analysis : str
            Name of the analysis; may be left out if there is one.

        Returns
        -------
        DataFrame
            After the user's columns: `status`, `reason`, `attempts`, and the results of
            finished slides: `area_mm2` with results; `share_C`, `mm2_C`, `mean_C` of
            each class C of tiles or pixels; `count_C` and `per_mm2_C` (with `_low` and
            `_high`, exact Poisson intervals) of each class of instances; `mean_C` and
            `median_C` of measurements; `tiles`, `tiles_failed`, `run_s`, `flags`.

        Raises
        ------
        StudyError
            If there is no such analysis.
        """
        from workbench.study.study_table import table_of  # noqa: PLC0415 - loads numpy

        return table_of(self.analysis(analysis))

    def instances(self, analysis: str = "") -> pyarrow.dataset.Dataset:
        """Return the instances of all slides, read when asked for; see `table`.

        A `pyarrow.dataset.Dataset` over the files of the runs, with a column `slide`.

        Raises
        ------
        StudyError
            If there is no such analysis, or it has no instances.
        """
        from workbench.study.study_table import instances_of  # noqa: PLC0415 - as above

        return instances_of(self.analysis(analysis))

    def aggregate(
        self,
        by: Sequence[str] = ("slide", "class"),
        values: Sequence[str] = (),
        *,
        where: pyarrow.compute.Expression | None = None,
        analysis: str = "",
    ) -> pd.DataFrame:
        """Return counts and statistics of the instances of all slides.

        They are streamed by all cores, so memory does not grow with their number.

        Parameters
        ----------
        by : sequence of str
            Columns of the groups, such as `slide` and `class`; none: all instances.
        values : sequence of str
            Columns of which mean, standard deviation, least and most are wanted.
        where : Expression, optional
            Filter, such as `pyarrow.compute.field("score") > 0.8`.
        analysis : str
            Name of the analysis; may be left out if there is one.

        Returns
        -------
        DataFrame
            A row per group: its columns, `count`, and `V_mean`, `V_sd`, `V_min`,
            `V_max` of each value V.

        Raises
        ------
        StudyError
            If there is no such analysis or column, or it has no instances.
        """
        from workbench.study.aggregation import aggregate  # noqa: PLC0415 - as above

        return aggregate(self.instances(analysis), by, values, where)

    def vectors(self, analysis: str = "") -> pyarrow.dataset.Dataset:
        """Return the vectors of all tiles of all slides, read when asked for.

        Raises
        ------
        StudyError
            If there is no such analysis, or its model gives no vectors.
        """
        from workbench.study.study_table import vectors_of  # noqa: PLC0415 - as above

        return vectors_of(self.analysis(analysis))

    def quality(
        self,
        *,
        progress: Callable[[int, int], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> pd.DataFrame:
        """Measure the quality of the slides; what was measured is not read again.

        Parameters
        ----------
        progress : callable, optional
            Called with the number of slides measured now, and of all of them.
        cancel : threading.Event, optional
            Ends the work after the slides in hand.

        Returns
        -------
        DataFrame
            A row per slide: `slide`; `qc_flags`, what is unusual, as text; `qc_blur`,
            `qc_fold`, `qc_pen`, `qc_air`, shares of the tissue (0 to 1); `qc_sharpness`
            (-2.6 and less: out of focus); `qc_nucleus_um`; `qc_hematoxylin` and
            `qc_eosin`, strength of the stains; `qc_like`, slides that look the same.
            `table` has these columns, too.
        """
        from workbench.study.slide_quality import measure_slides  # noqa: PLC0415 - slow

        return measure_slides(self, progress=progress, cancel=cancel)

    def __len__(self) -> int:
        """Return the number of slides."""
        import pyarrow.parquet  # noqa: PLC0415 - slow to import

        return int(pyarrow.parquet.read_metadata(self.path / SLIDES).num_rows)

    def __repr__(self) -> str:
        """Return a one-line description."""
        return f"<Study '{self.path}': {counted_noun(len(self), 'slides')}>"


def open_study(path: str | os.PathLike[str]) -> Study:
    """Open a study.

    Parameters
    ----------
    path : path
        Its folder.

    Raises
    ------
    StudyError
        If it holds no study, or one with a newer format.
    """
    folder = Path(path).absolute()
    read_record(folder)
    return Study(folder)
