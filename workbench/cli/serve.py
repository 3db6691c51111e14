"""`workbench serve`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from workbench.app.catalog.environment import (
    RUNS_VARIABLE,
    SLIDES_VARIABLE,
    slides_from_environment,
)

if TYPE_CHECKING:
    from workbench.app.server.config import ServerConfig

_SECRETS: Final = ("PANEL_OAUTH_KEY", "PANEL_OAUTH_SECRET")


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
@click.option(
    "--no-label",
    is_flag=True,
    help="Show nobody the photographs of a slide's label and glass: they may name"
    " a patient.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=5006,
    show_default=True,
    help="Port to listen on; 0: any free one.",
)
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; 0.0.0.0 to be reached from other machines, unix:PATH for a"
    " socket and no port.",
)
@click.option(
    "--origin",
    "--allow-origin",
    "origins",
    multiple=True,
    help="HOST or HOST:PORT by which users reach the app, where that is not the"
    " address.",
)
@click.option("--prefix", default="", help="Of all paths, behind a proxy.")
@click.option(
    "--basic-auth",
    envvar="WORKBENCH_BASIC_AUTH",
    default="",
    help="JSON file of users and passwords, or one password for all. As"
    " $WORKBENCH_BASIC_AUTH it is not in the list of processes.",
)
@click.option(
    "--oauth-provider",
    default="",
    metavar="NAME",
    help="Log in with azure, google, okta, gitlab, generic or what else Panel knows;"
    f" ${_SECRETS[0]} and ${_SECRETS[1]} have its key and secret.",
)
@click.option(
    "--oauth-redirect-uri", default="", help="Where the provider sends users back to."
)
@click.option(
    "--oauth-extra",
    multiple=True,
    metavar="NAME=VALUE",
    help="What the provider needs besides, such as its tenant or URLs.",
)
@click.option(
    "--oauth-jwt-user", default="", help="Which entry of the token names the user."
)
@click.option(
    "--max-sessions",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Pages that may be open at once.",
)
@click.option(
    "--max-user-sessions",
    type=click.IntRange(1),
    default=12,
    show_default=True,
    help="Of them, pages of one user who has logged in.",
)
@click.option(
    "--tile-rate",
    type=click.FloatRange(1),
    default=1000.0,
    show_default=True,
    help="Tiles per second that a user may ask for in the long run.",
)
@click.option(
    "--log-requests", is_flag=True, help="Log every request, not only refused ones."
)
def command(
    slides: tuple[Path, ...],
    runs: Path,
    *,
    no_label: bool,
    log_requests: bool,
    **options: Any,
) -> None:
    """Serve the app for the slides in some folders.

    Only this machine can reach it unless --address says otherwise; then put a login
    in front (--basic-auth, --oauth-provider, or a proxy that asks who they are).
    """
    # Panel and torch take seconds to import: not for --help or a wrong flag.
    from workbench.app.catalog.site import Site  # noqa: PLC0415
    from workbench.app.server.serve import serve  # noqa: PLC0415

    door = _door(options, "INFO" if log_requests else "WARNING")
    if not door.is_local and not door.has_login:
        click.echo(
            f"workbench: anybody who reaches {door.address}:{door.port} can see these"
            " slides; give --basic-auth or --oauth-provider, or put a login in front.",
            err=True,
        )
    site = Site.of(slides or slides_from_environment(), runs, labels=not no_label)
    serve(site, door, started=_announce)


def _door(options: dict[str, Any], log_level: str) -> ServerConfig:
    """Return the door that the flags describe."""
    from workbench.app.server.config import Limits, OAuth, ServerConfig  # noqa: PLC0415

    provider = options["oauth_provider"]
    if provider and options["basic_auth"]:
        message = "give --basic-auth or --oauth-provider, not both"
        raise click.UsageError(message)
    missing = [name for name in _SECRETS if not os.environ.get(name)]
    if provider and missing:
        message = f"--oauth-provider needs {' and '.join(missing)} in the environment"
        raise click.UsageError(message)
    oauth = OAuth(
        provider=provider,
        redirect_uri=options["oauth_redirect_uri"],
        extra=dict(map(_pair, options["oauth_extra"])),
        jwt_user=options["oauth_jwt_user"],
    )
    return ServerConfig(
        port=options["port"],
        address=options["address"],
        prefix=options["prefix"],
        origins=options["origins"],
        basic_auth=options["basic_auth"],
        oauth=oauth if provider else None,
        limits=Limits(
            sessions=options["max_sessions"],
            user_sessions=options["max_user_sessions"],
            tile_rate=options["tile_rate"],
        ),
        log_level=log_level,
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        message = f"'{text}' is not NAME=VALUE"
        raise click.BadParameter(message, param_hint="--oauth-extra")
    return name, value


def _announce(url: str) -> None:
    click.echo(f"Slide Workbench: {url}  (Ctrl-C ends it)")
