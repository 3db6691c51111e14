"""HTTP routes of the gallery, behind the login of the app.

Pages and scripts of other origins cannot use them: changes are JSON with a header of
our own, which a browser sends to its own origin only.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bokeh.server.views.auth_request_handler import AuthRequestHandler
from tornado.web import HTTPError, authenticated

from workbench.app.gallery.page import page
from workbench.errors import HTTP_CODES, RunError, WorkbenchError, code_for
from workbench.tileserver.security_headers import page_policy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from workbench.app.catalog.access import Access
    from workbench.app.gallery.study_site import StudySite

_HEADER: Final = "X-Workbench"
_NO_STORE: Final = "no-store"
_KEPT: Final = "private, max-age=86400"
_LONGEST: Final = 300
_ACTIONS: Final = ("pause", "resume", "cancel", "retry")
_RECIPE: Final = ("model", "normalize")


class StudyHandler(AuthRequestHandler):
    """Base of the handlers: access, limits, errors as JSON."""

    def initialize(self, site: StudySite) -> None:
        """Take the study; Tornado calls this."""
        self.site = site

    def prepare(self) -> Awaitable[None] | None:
        """Identify the user; synchronously unless the provider is asynchronous."""
        get_user = self.application.auth_provider.get_user_async
        return None if get_user is None else self._identify(get_user)

    async def _identify(
        self, get_user: Callable[[StudyHandler], Awaitable[str | None]]
    ) -> None:
        self.current_user = await get_user(self)

    async def admit(self, *, lead: bool = False) -> Access:
        """Return the access of the user; 403 without a login, or a lead's role."""
        if not self.current_user:
            raise HTTPError(403)
        access = await asyncio.to_thread(self.site.access, str(self.current_user))
        if lead and not access.leads:
            raise HTTPError(403)
        return access

    def text(self, name: str) -> str:
        """Return a parameter of the query; 400 if it is longer than any name."""
        value = self.get_query_argument(name, "")
        if len(value) > _LONGEST:
            raise HTTPError(400)
        return str(value)

    def body(self) -> dict[str, Any]:
        """Return the JSON of a change.

        Raises
        ------
        HTTPError
            403 if it is not from a page of this origin, 400 if it is no JSON object.
        """
        if self.request.headers.get(_HEADER) != "1":
            raise HTTPError(403)
        try:
            found = json.loads(self.request.body)
        except ValueError:
            raise HTTPError(400) from None
        if not isinstance(found, dict):
            raise HTTPError(400)
        return found

    def send(self, message: Any) -> None:
        """Send JSON that no browser keeps."""
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", _NO_STORE)
        self.finish(json.dumps(message, allow_nan=False))

    async def answer(self, access: Access, call: Callable[[], Any]) -> None:
        """Send what a call returns, made in a thread; or its error, as a sentence."""
        try:
            message = await asyncio.to_thread(call)
        except WorkbenchError as error:
            self.set_status(code_for(error, HTTP_CODES))
            message = {"error": self.site.without_paths(str(error), access)}
        self.send({} if message is None else message)

    async def send_file(
        self, make: Callable[[], str], media_type: str, name: str
    ) -> None:
        """Send a text, made in a thread, as a file to save; 404 if there is none."""
        try:
            text = await asyncio.to_thread(make)
        except (WorkbenchError, KeyError):
            raise HTTPError(404) from None
        self.set_header("Content-Type", f"{media_type}; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        self.set_header("Cache-Control", _NO_STORE)
        self.finish(text)

    def set_default_headers(self) -> None:
        """Hide the server's name."""
        self.clear_header("Server")

    def compute_etag(self) -> None:
        """Return no ETag: what may be kept has a version in its URL."""

    def write_error(self, status_code: int, **_: object) -> None:
        """Send the status without a body."""
        del status_code
        self.set_header("Cache-Control", _NO_STORE)
        self.finish()


class PageHandler(StudyHandler):
    """`study`: the page."""

    @authenticated
    async def get(self) -> None:
        """Send the page, to a user who is logged in; others are led to the login."""
        nonce = secrets.token_urlsafe(16)
        text = await asyncio.to_thread(
            page, self.site, nonce=nonce, user=str(self.current_user)
        )
        policy = f"{page_policy(nonce)}; frame-src 'self'"
        self.set_header("Content-Security-Policy", policy)
        self.set_header("X-Frame-Options", "SAMEORIGIN")
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", _NO_STORE)
        self.finish(text)


class TableHandler(StudyHandler):
    """`study/table`: the table of slides, as compressed JSON columns."""

    async def get(self) -> None:
        """Send the table."""
        access = await self.admit()
        data = await asyncio.to_thread(self.site.table, access)
        self.set_header("Content-Type", "application/json")
        self.set_header("Content-Encoding", "gzip")
        self.set_header("Cache-Control", _NO_STORE)
        self.finish(data)


class ProgressHandler(StudyHandler):
    """`study/progress`: runs, the adviser, and the stamp of the table."""

    async def get(self) -> None:
        """Send the progress."""
        access = await self.admit()
        await self.answer(access, lambda: self.site.progress(access))


class SettingsHandler(StudyHandler):
    """`study/settings`: models and methods that runs can be started with."""

    async def get(self) -> None:
        """Send the names."""
        access = await self.admit(lead=True)
        await self.answer(access, self.site.settings)


class ThumbnailHandler(StudyHandler):
    """`study/thumbnail?slide=NAME&analysis=NAME&class=NAME&v=STAMP`."""

    async def get(self) -> None:
        """Send a JPEG; 404 if the slide, the result or the file is not there."""
        access = await self.admit()
        names = self.text("slide"), self.text("analysis"), self.text("class")
        try:
            picture = await asyncio.to_thread(self.site.picture, access, *names)
            data = picture.data
            if picture.drawing is not None:
                self._drawing = picture.drawing
                data = await asyncio.wrap_future(picture.drawing)
        except asyncio.CancelledError:
            return
        except (WorkbenchError, KeyError, OSError):
            raise HTTPError(404) from None
        self.set_header("Content-Type", "image/jpeg")
        self.set_header("Cache-Control", _KEPT)
        self.finish(data)

    def on_connection_close(self) -> None:
        """Cancel the drawing of what has been scrolled past."""
        drawing = getattr(self, "_drawing", None)
        if drawing is not None:
            drawing.cancel()


class RunHandler(StudyHandler):
    """`study/run`: starts an analysis of all slides, or controls one."""

    async def post(self) -> None:
        """Start `{model, normalize, name}`, or do `{name, action}`."""
        access, asked = await self.admit(lead=True), self.body()
        name, action = str(asked.get("name", "")), asked.get("action")
        if len(name) > _LONGEST or action not in (None, *_ACTIONS):
            raise HTTPError(400)

        def do() -> None:
            if action:
                self.site.runs.control(name, action)
                return
            recipe = {key: asked[key] for key in _RECIPE if asked.get(key)}
            if "model" not in recipe or recipe["model"] not in self._models():
                message = "There is no such model."
                raise RunError(message, "Choose one of the list.")
            self.site.runs.start(name=name, **recipe)

        await self.answer(access, do)

    def _models(self) -> list[str]:
        return list(self.site.settings()["models"])


class AdviceHandler(StudyHandler):
    """`study/advice`: compares stains; sets the proposed reference for the study."""

    async def post(self) -> None:
        """Begin the comparison, or accept its proposal: `{accept: true}`."""
        access, asked = await self.admit(lead=True), self.body()
        accept = bool(asked.get("accept"))
        advice = self.site.advice

        def do() -> None:
            if accept:
                advice.accept()
            else:
                advice.start()

        await self.answer(access, do)


class ReadingHandler(StudyHandler):
    """`study/reading?worklist=NAME&slide=NAME`: answers, as far as the user sees them.

    A change is one answer: `{worklist, slide, answers, state, id, seconds}`, or that of
    all readers, with `consensus: true`.
    """

    async def get(self) -> None:
        """Send the answers on a slide."""
        access = await self.admit()
        names = self.text("worklist"), self.text("slide")
        await self.answer(access, lambda: self.site.desk.one(access, *names))

    async def post(self) -> None:
        """Save an answer; it is on disk when the response comes."""
        access, message = await self.admit(), self.body()
        await self.answer(access, lambda: self.site.desk.answer(access, message))


class AgreementHandler(StudyHandler):
    """`study/agreement?worklist=NAME`: progress and agreement of readers, for leads."""

    async def get(self) -> None:
        """Send the report."""
        access, name = await self.admit(lead=True), self.text("worklist")
        await self.answer(access, lambda: self.site.desk.report(access, name))


class WorklistsHandler(StudyHandler):
    """`study/worklists`: progress of all readers, and a new worklist, for leads."""

    async def get(self) -> None:
        """Send the forms, the readers, and how far each is."""
        access = await self.admit(lead=True)
        await self.answer(access, lambda: self.site.assignments.report(access))

    async def post(self) -> None:
        """Assign slides: `{name, readers, form, slides, each, blind}`."""
        access, asked = await self.admit(lead=True), self.body()
        await self.answer(access, lambda: self.site.assignments.assign(access, asked))


class RegionsHandler(StudyHandler):
    """`study/regions?worklist=NAME&slide=NAME`: what readers have drawn, for leads."""

    async def get(self) -> None:
        """Send who has drawn what, and how far they agree."""
        access = await self.admit(lead=True)
        names = self.text("worklist"), self.text("slide")
        await self.answer(access, lambda: self.site.regions.report(access, *names))


class RegionsPictureHandler(StudyHandler):
    """`study/regions.jpg?worklist=NAME&slide=NAME&reader=NAME`, for leads."""

    async def get(self) -> None:
        """Send a JPEG; 404 if there is no such slide or reader."""
        access = await self.admit(lead=True)
        names = self.text("worklist"), self.text("slide"), self.text("reader")
        try:
            data = await asyncio.to_thread(self.site.regions.picture, access, *names)
        except WorkbenchError:
            raise HTTPError(404) from None
        self.set_header("Content-Type", "image/jpeg")
        self.set_header("Cache-Control", _NO_STORE)
        self.finish(data)


class AnswersHandler(StudyHandler):
    """`study/answers.csv?worklist=NAME`: the last answers of all readers, for leads."""

    async def get(self) -> None:
        """Send the file."""
        access, name = await self.admit(lead=True), self.text("worklist")
        make = partial(self.site.desk.csv, access, name)
        await self.send_file(make, "text/csv", "answers.csv")


class ReportHandler(StudyHandler):
    """`study/report.html?analysis=NAME`: the report of an analysis, for leads."""

    async def get(self) -> None:
        """Send the file."""
        await self.admit(lead=True)
        make = partial(self.site.report, self.text("analysis"))
        await self.send_file(make, "text/html", "report.html")


def study_routes(
    site: StudySite,
) -> list[tuple[str, type[StudyHandler], dict[str, Any]]]:
    """Return the Tornado routes of a study."""
    handlers = {
        "": PageHandler,
        "/table": TableHandler,
        "/progress": ProgressHandler,
        "/settings": SettingsHandler,
        "/thumbnail": ThumbnailHandler,
        "/run": RunHandler,
        "/advice": AdviceHandler,
        "/reading": ReadingHandler,
        "/agreement": AgreementHandler,
        "/worklists": WorklistsHandler,
        "/regions": RegionsHandler,
        "/regions.jpg": RegionsPictureHandler,
        "/answers.csv": AnswersHandler,
        "/report.html": ReportHandler,
    }
    return [
        (f"/study{path}", handler, {"site": site}) for path, handler in handlers.items()
    ]
