"""`workbench demo`."""

from __future__ import annotations

import json
import webbrowser
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from workbench.cli.console import stop_on_signal, summary_of
from workbench.cli.demo_slides import RUNS, SLIDES, make_slides, run_demo

if TYPE_CHECKING:
    from workbench.results.run import Run


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder of the demo; existing slides and runs are reused.",
)
@click.option("--serve/--no-serve", default=True, help="Open the app afterwards.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=5006,
    show_default=True,
    help="Port to listen on; 0: any free one.",
)
@click.option("--browser/--no-browser", default=True, help="Open a browser.")
def command(out: Path, *, serve: bool, port: int, browser: bool) -> None:
    """Make demo slides, run a model on one, and open the app on it.

    With --no-serve, print the run as JSON and do not start the app.
    """
    run = _run(out)
    if not serve:
        click.echo(json.dumps(summary_of(run), indent=2))
        return
    _serve(out, run, port=port, browser=browser)


def _run(out: Path) -> Run:
    slides = make_slides(out / SLIDES, said=partial(click.echo, err=True))
    with stop_on_signal() as cancel:
        run = run_demo(slides[0], out / RUNS, progress=True, cancel=cancel)
    if run.status == "cancelled":
        raise click.Abort
    return run


def _serve(out: Path, run: Run, *, port: int, browser: bool) -> None:
    from workbench.app.catalog.site import Site  # noqa: PLC0415 - headless needs none
    from workbench.app.server.config import ServerConfig  # noqa: PLC0415 - headless needs none
    from workbench.app.server.serve import serve  # noqa: PLC0415

    config = ServerConfig(port=port)
    recipe = run.recipe
    page = (
        f"?slide={quote(run.record['slide']['name'])}"
        f"&model={quote(recipe.model)}&normalize={recipe.normalize or ''}"
    )

    def started(url: str) -> None:
        click.echo(f"Slide Workbench: {url}{page}  (Ctrl-C stops it)")
        if browser:
            webbrowser.open(f"{url}{page}")

    serve(Site.of([out / SLIDES], out / RUNS), config, started=started)
