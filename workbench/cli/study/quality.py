"""`workbench study quality`."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.console import stop_on_signal
from workbench.progress import counted_noun


@click.command("quality")
@click.argument("study", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV to write with all measures. Default: flagged slides are printed.",
)
def command(study: Path, to: Path | None) -> None:
    """Measure the quality of all slides; print those that are flagged.

    Flags: blur, fold, pen, air (bubbles), magnification (nuclei too small or large for
    the pixel size), stain (an outlier among the slides), duplicate, no tissue,
    unreadable. Slides are measured once; `workbench study table` has the measures as
    columns qc_*. A run leaves artefacts out with --leave-out "blur;fold;pen;air".
    """
    from workbench.progress import Counter  # noqa: PLC0415
    from workbench.study.study import open_study  # noqa: PLC0415
    from workbench.system.long_work import ProgressBar  # noqa: PLC0415 - see LazyGroup

    with ProgressBar() as bar, stop_on_signal() as cancel:
        report = Counter(bar, "measuring quality", "slides")
        table = open_study(study).quality(progress=report, cancel=cancel)
    flagged = table[table["qc_flags"] != ""]
    if to is not None:
        table.to_csv(to, index=False)
        click.echo(to)
        return
    for row in flagged.itertuples():
        click.echo(f"{row.slide}: {row.qc_flags}")
    click.echo(f"Flagged: {len(flagged):,} of {counted_noun(len(table), 'slides')}.")
