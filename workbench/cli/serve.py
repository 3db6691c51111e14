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
from workbench.models.user_models import MODELS_VARIABLE, TRUST_VARIABLE

if TYPE_CHECKING:
    from workbench.app.server.config import ServerConfig

_SECRETS: Final = ("PANEL_OAUTH_KEY", "PANEL_OAUTH_SECRET")


@click.command("serve")
@click.option(
    "--slides",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Folder of slides, or a slide; may be repeated. Only these are served."
    f" [default: ${SLIDES_VARIABLE}, else the current folder]",
)
@click.option(
    "--study",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Serve a study: the gallery of its slides at /study, with runs and readings."
    " Instead of --slides and --runs.",
)
@click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    envvar=RUNS_VARIABLE,
    default=Path("runs"),
    show_default=True,
    help="Folder of runs, annotations and bookmarks.",
)
@click.option(
    "--models",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with a folder for each further model: its card and weights."
    f" [default: ${MODELS_VARIABLE}, else that of the user]",
)
@click.option(
    "--trust-models",
    is_flag=True,
    help="Load models of that folder that could run code: TorchScript, pickled"
    " networks.",
)
@click.option(
    "--no-label",
    is_flag=True,
    help="Hide the label and macro images of slides, which may name a patient.",
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
    help="Address to listen on; 0.0.0.0: reachable from other machines; unix:PATH: a"
    " Unix socket instead of a port.",
)
@click.option(
    "--origin",
    "--allow-origin",
    "origins",
    multiple=True,
    help="HOST or HOST:PORT in the browser's address bar, if it differs from the"
    " address.",
)
@click.option("--prefix", default="", help="Prefix of all URL paths, behind a proxy.")
@click.option(
    "--basic-auth",
    envvar="WORKBENCH_BASIC_AUTH",
    default="",
    help="JSON file of users and passwords, or one password for all users. Set"
    " $WORKBENCH_BASIC_AUTH instead to keep it out of the process list.",
)
@click.option(
    "--roles",
    default="",
    metavar="FILE",
    help="JSON file with the role of each user in a study: lead, reader (the default)"
    " or guest. The file of --basic-auth may have them, too.",
)
@click.option(
    "--oauth-provider",
    default="",
    metavar="NAME",
    help="Log in with azure, google, okta, gitlab, generic or another provider of"
    f" Panel; its key and secret are in ${_SECRETS[0]} and ${_SECRETS[1]}.",
)
@click.option(
    "--oauth-redirect-uri", default="", help="Redirect URI after the provider's login."
)
@click.option(
    "--oauth-extra",
    multiple=True,
    metavar="NAME=VALUE",
    help="Additional provider settings, such as its tenant or URLs.",
)
@click.option(
    "--oauth-jwt-user", default="", help="Claim of the token with the user's name."
)
@click.option(
    "--max-sessions",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Maximum number of open pages.",
)
@click.option(
    "--max-user-sessions",
    type=click.IntRange(1),
    default=12,
    show_default=True,
    help="Maximum number of open pages per logged-in user.",
)
@click.option(
    "--tile-rate",
    type=click.FloatRange(1),
    default=1000.0,
    show_default=True,
    help="Rate limit of tiles per second and user.",
)
@click.option(
    "--log-requests", is_flag=True, help="Log all requests, not only refused ones."
)
def command(
    slides: tuple[Path, ...],
    runs: Path,
    *,
    study: Path | None,
    models: Path | None,
    trust_models: bool,
    no_label: bool,
    log_requests: bool,
    **options: Any,
) -> None:
    """Serve the app for folders of slides, or for a study.

    By default only this machine can reach the app. With another --address, require a
    login (--basic-auth, --oauth-provider, or an authenticating proxy).
    """
    if study is not None and slides:
        message = "--study has its own slides: leave out --slides"
        raise click.UsageError(message)
    if models is not None:
        os.environ[MODELS_VARIABLE] = str(models.resolve())
    if trust_models:
        os.environ[TRUST_VARIABLE] = "1"
    # Panel and torch take seconds to import; --help and usage errors need neither.
    from workbench.app.catalog.site import Site  # noqa: PLC0415
    from workbench.app.server.serve import serve  # noqa: PLC0415

    config = _config(options, "INFO" if log_requests else "WARNING")
    if not config.is_local and not config.has_login:
        click.echo(
            f"workbench: all users who reach {config.address}:{config.port} can see"
            " these slides; set --basic-auth or --oauth-provider, or use a proxy with"
            " a login.",
            err=True,
        )
    if study is None:
        site = Site.of(slides or slides_from_environment(), runs, labels=not no_label)
        serve(site, config, started=_announce)
        return
    from workbench.study.study import open_study  # noqa: PLC0415 - as above

    opened = open_study(study)
    site = Site.of_study(opened, labels=not no_label)
    serve(site, config, study=opened, started=_announce)


def _config(options: dict[str, Any], log_level: str) -> ServerConfig:
    """Return the server configuration that the options give."""
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
        roles=options["roles"],
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
    click.echo(f"Slide Workbench: {url}  (Ctrl-C stops it)")
