"""`workbench serve`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

RUNS_VARIABLE: Final = "WORKBENCH_RUNS"
SLIDES_VARIABLE: Final = "WORKBENCH_SLIDES"


@click.command("serve")
@click.option(
    "--slides",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Folder of slides, or a slide; may be repeated. Nothing else is served."
    f" [default: ${SLIDES_VARIABLE}, else the present folder]",
)
@click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    envvar=RUNS_VARIABLE,
    default=Path("runs"),
    show_default=True,
    help="Folder where runs are saved.",
)
@click.option("--port", type=click.IntRange(0, 65_535), default=5006, show_default=True)
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; 0.0.0.0 to be reached from other machines, unix:PATH for a"
    " socket and no port.",
)
@click.option(
    "--origin",
    multiple=True,
    help="HOST:PORT by which users reach the app, where that is not the address.",
)
@click.option(
    "--basic-auth",
    envvar="WORKBENCH_BASIC_AUTH",
    default="",
    help="JSON file of users and passwords, or one password for all. As"
    " $WORKBENCH_BASIC_AUTH it is not in the list of processes.",
)
@click.option("--prefix", default="", help="Of all paths, behind a proxy.")
def command(
    slides: tuple[Path, ...],
    runs: Path,
    port: int,
    address: str,
    *,
    origin: tuple[str, ...],
    basic_auth: str,
    prefix: str,
) -> None:
    """Serve the app for the slides in some folders.

    Only this machine can reach it unless --address says otherwise; then put a login
    in front (--basic-auth, or a proxy that asks who they are).
    """
    # Panel and torch take seconds to import: not for --help or a wrong flag.
    from workbench.app.serve import Door, serve  # noqa: PLC0415
    from workbench.app.site import Site  # noqa: PLC0415

    door = Door(
        port=port,
        address=address,
        prefix=prefix,
        origins=origin,
        basic_auth=basic_auth,
    )
    if not door.is_local and not basic_auth:
        click.echo(
            f"workbench: anybody who reaches {address}:{port} can see these slides;"
            " give --basic-auth, or put a login in front.",
            err=True,
        )
    serve(Site.of(slides or _named(), runs), door, started=_announce)


def _named() -> list[str]:
    named = os.environ.get(SLIDES_VARIABLE, "").split(os.pathsep)
    return [folder for folder in named if folder] or ["."]


def _announce(url: str) -> None:
    click.echo(f"Slide Workbench: {url}  (Ctrl-C ends it)")
