"""The app as a web server.

`workbench serve --slides DIR` calls `serve`. The same app runs under Panel's own
command, with the slides in the environment variable `WORKBENCH_SLIDES`:

    panel serve workbench/app/server/serve.py --plugins workbench.tileserver
"""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

import panel as pn
from panel.io.application import build_applications

from workbench.app.catalog.site import site_from_environment
from workbench.app.gallery.routes import study_routes
from workbench.app.gallery.study_site import StudySite
from workbench.app.layout import full_page
from workbench.app.server.access_log import log_discreetly
from workbench.app.server.closed_pages import begin_upkeep, forget
from workbench.app.server.config import APP, server_options
from workbench.app.server.engine_import import EngineImport
from workbench.app.server.roles import Roles
from workbench.app.server.session_limit import HealthHandler, SessionLimit
from workbench.app.server.shell import Shell, ShellHandler
from workbench.app.session import Session
from workbench.app.url_state import Address
from workbench.app.widgets.theme import TITLE
from workbench.tileserver.security_headers import (
    SELF,
    install_page_handler,
    set_page_policy,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.app.catalog.site import Site
    from workbench.app.server.config import ServerConfig
    from workbench.study.study import Study


def session(site: Site, *, first: str = "") -> Session:
    """Return the app for the session that is being opened.

    The query of its URL sets what is shown first, such as
    `?slide=NAME&normalize=METHOD`; see `Address`. Without a slide there, `first` is
    opened.
    """
    requested = Address.parse(pn.state.session_args)
    document = pn.state.curdoc
    if document is not None:
        begin_upkeep()
    app = Session(site)
    # Weak, as Panel keeps the handler by document, and would keep the app alive.
    failed = WeakMethod(app.background.failed)
    pn.config.exception_handler = lambda error: _report(failed(), error)
    address = requested.model_copy(update={"slide": requested.slide or first})
    pn.state.onload(lambda: app.begin_at(address))

    def over(_: object) -> None:
        app.close()
        if document is not None:
            forget(document)

    pn.state.on_session_destroyed(over)
    return app


def _report(failed: Callable[[Exception], None] | None, error: Exception) -> None:
    if failed is not None:
        failed(error)


def _page(site_of: Callable[[str], Site], *, login: bool = False) -> Any:
    site = site_of(str(pn.state.user or ""))
    set_page_policy(pn.state.curdoc, lambda: SELF)
    framed = b"1" in pn.state.session_args.get("framed", [])
    return full_page(session(site), login=login, framed=framed)


def serve(
    site: Site,
    config: ServerConfig,
    *,
    study: Study | None = None,
    started: Callable[[str], None] | None = None,
) -> None:
    """Serve the app until SIGTERM or SIGINT; then save active runs.

    Parameters
    ----------
    site : Site
    config : ServerConfig
    study : Study, optional
        Study of the site, whose gallery is served, too.
    started : callable, optional
        Called with the app's URL once the server listens.

    Raises
    ------
    OSError
        If the port is in use.
    """
    session_limit = SessionLimit(config.limits)
    roles = Roles([config.basic_auth, config.roles], login=config.has_login)
    gallery = (
        None if study is None else StudySite(study, site, roles.of, lambda: roles.users)
    )
    site_of = partial(_site_of, gallery, site)
    apps = build_applications(
        {APP: lambda: _page(site_of, login=config.has_login)}, title=TITLE
    )
    for app in apps.values():
        app.add(session_limit)
        app.add(EngineImport())
        app.add(Shell(site_of))
    options = server_options(config)
    install_page_handler(ShellHandler)
    folders = [*site.library.roots, site.run_library.folder]
    log_discreetly(folders, level=config.log_level)
    health = {"health": partial(session_limit.health, site.run_library)}
    options["extra_patterns"].append(("/(?:health|liveness)", HealthHandler, health))
    if gallery is not None:
        options["extra_patterns"] += study_routes(gallery)
        gallery.begin()
    server = pn.serve(apps, start=False, **options)
    server.start()
    if started is not None:
        url = config.url if gallery is None else config.study_url
        server.io_loop.add_callback(started, url)
    loop = server.io_loop
    for kind in (signal.SIGTERM, signal.SIGINT):
        # Bokeh's own handler prints first, and hangs if standard output is closed.
        loop.asyncio_loop.add_signal_handler(kind, loop.stop)
    try:
        loop.start()
    finally:
        server.stop()
        if gallery is not None:
            gallery.close()
        site.close()


def _site_of(gallery: StudySite | None, site: Site, user: str) -> Site:
    return site if gallery is None else gallery.site_of(gallery.access(user))


if pn.state.served:  # true in the module that `panel serve` runs, not in an import
    # Panel executes this file for each session of `panel serve`.
    _site = site_from_environment()
    log_discreetly([*_site.library.roots, _site.run_library.folder])
    _page(lambda _: _site).servable()
