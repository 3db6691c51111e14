"""`StudySite`: a study as a server offers it, and what each user sees of it."""

from __future__ import annotations

import getpass
import gzip
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cachetools import LRUCache

from workbench.app.catalog.access import EVERYTHING, access_of
from workbench.app.catalog.site import Site
from workbench.app.catalog.study_slides import StudyLibrary
from workbench.app.gallery.assignments import Assignments
from workbench.app.gallery.columns import message_of
from workbench.app.gallery.reader_regions import ReaderRegions
from workbench.app.gallery.reading_desk import ReadingDesk
from workbench.app.gallery.runs import StudyAdvice, StudyRuns
from workbench.app.gallery.snapshots import Snapshots, picked
from workbench.app.gallery.thumbnails import Thumbnails
from workbench.errors import AccessError, RunError, SlideNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from workbench.app.catalog.access import Access, Role
    from workbench.app.gallery.columns import Column
    from workbench.app.gallery.snapshots import Snapshot
    from workbench.results.run import Run
    from workbench.study.study import Study

_LEVEL: Final = 1
_NO_LOGIN: Final = ("", "default_user")
"""Names that Panel and Bokeh have for the user of a server without a login."""

_SITES: Final = 64
_TABLES: Final = 16
"""Tables that are kept compressed, each for one access and time."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A thumbnail: kept already, or being drawn."""

    data: bytes | None
    drawing: Future[bytes] | None


class StudySite:
    """A study as a server offers it.

    Parameters
    ----------
    study : Study
    site : Site
        Slides and runs of the study, as a lead sees them.
    role_of : callable
        Returns the role of a user. Default: all lead.
    users : callable
        Returns the roles of the users that are known. Default: none is.
    """

    def __init__(
        self,
        study: Study,
        site: Site,
        role_of: Callable[[str], Role] = lambda _: "lead",
        users: Callable[[], Mapping[str, Role]] = dict,
    ) -> None:
        self.study, self._site, self._role_of = study, site, role_of
        self.desk = ReadingDesk(study)
        self.assignments = Assignments(self.desk, users)
        self.regions = ReaderRegions(study, self.desk)
        self._sites: LRUCache[tuple[Any, ...], Site] = LRUCache(_SITES)
        self.snapshots = Snapshots(study)
        self.runs = StudyRuns(self.snapshots)
        self.advice = StudyAdvice(self.snapshots)
        self.thumbnails = Thumbnails()
        self._tables: LRUCache[tuple[Any, ...], bytes] = LRUCache(_TABLES)
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Read the study in a thread, so that the first page has it at once."""
        threading.Thread(target=self._read, daemon=True).start()

    def close(self) -> None:
        """End the processes and threads that were started here."""
        self.advice.close()
        self.runs.close()
        self.thumbnails.close()

    def access(self, user: str) -> Access:
        """Return what a user may see and do now."""
        role = self._role_of(user)
        name = getpass.getuser() if user in _NO_LOGIN else user
        return access_of(name, role, self.desk.readings)

    def site_of(self, access: Access) -> Site:
        """Return the slides and runs that the app has for a user."""
        if access.leads:
            return self._site
        with self._lock:
            site = self._sites.get(access.key)
            if site is None:
                site = Site.of_study(self.study, access, labels=self._site.labels)
                self._sites[access.key] = site
            return site

    def without_paths(self, text: str, access: Access) -> str:
        """Return a text without paths, and with the names that a user sees."""
        return self.site_of(access).without_folders(text)

    def table(self, access: Access) -> bytes:
        """Return the table of slides, as a user sees it, as compressed JSON."""
        snapshot = self.snapshots.last()
        stamp = self._stamp(snapshot, access)
        with self._lock:
            kept = self._tables.get((stamp, access.key))
        if kept is not None:
            return kept
        names, columns = _seen(snapshot, access)
        layers = [
            {"analysis": each.analysis, "classes": list(each.classes)}
            for each in snapshot.layers
            if access.results
        ]
        facts: dict[str, Any] = {
            "stamp": stamp,
            "names": names,
            "layers": layers,
            "role": access.role,
            "user": access.user,
            "worklists": self.desk.worklists(access),
        }
        columns += self.desk.columns(access, names)
        text = message_of((each.text for each in columns), **facts)
        data = gzip.compress(text.encode(), _LEVEL, mtime=0)
        with self._lock:
            self._tables[stamp, access.key] = data
        return data

    def progress(self, access: Access) -> dict[str, Any]:
        """Return the stamp of a user's table, and for leads how far runs are."""
        found: dict[str, Any] = {"stamp": self._stamp(self.snapshots.renew(), access)}
        if access.leads:
            found |= {"runs": self.runs.report(), "advice": self.advice.report()}
        return found

    def picture(
        self, access: Access, name: str, analysis: str = "", channel: str = ""
    ) -> Picture:
        """Return the thumbnail of a slide, or of a class of an analysis over it.

        Raises
        ------
        SlideNotFoundError
            If the user has no such slide.
        AccessError
            If the user is blind to results.
        KeyError
            If there is no such analysis. A slide without a result is shown as it is.
        """
        library = self.site_of(access).library
        row = library.rows.get(name) if isinstance(library, StudyLibrary) else None
        if row is None:
            raise SlideNotFoundError(name)
        run: Run | None = None
        key: tuple[str, ...] = (row.path, row.id, row.mpp)
        if analysis:
            if not access.results:
                raise AccessError(name)
            run = self._run(analysis, row.name)
            if run is not None:
                key = (*key, analysis, channel, str(run.record.get("ended")))
        kept = self.thumbnails.kept(key)
        if kept is not None:
            return Picture(kept, None)
        return Picture(None, self.thumbnails.draw(key, row, run, channel))

    def _run(self, analysis: str, slide: str) -> Run | None:
        try:
            return self.snapshots.analyses()[analysis].open_run(slide)
        except RunError:
            return None

    def report(self, analysis: str) -> str:
        """Return the report of an analysis as one HTML page.

        Raises
        ------
        KeyError
            If there is no such analysis.
        WorkbenchError
            If its results cannot be read.
        """
        from workbench.report.study_report import study_report  # noqa: PLC0415 - slow

        return study_report(self.snapshots.analyses()[analysis])

    def settings(self) -> Mapping[str, Any]:
        """Return what the page offers: models and methods of normalization."""
        from workbench.models.catalogue import known_cards  # noqa: PLC0415 - slow to import
        from workbench.recipe import options  # noqa: PLC0415

        methods = next(each for each in options() if each.name == "normalize").choices
        return {
            "models": [card.name for card in known_cards()],
            "methods": list(methods),
        }

    def _stamp(self, snapshot: Snapshot, access: Access) -> str:
        """Return a text that changes with a user's table.

        One who is blind to results does not see that there are new ones.
        """
        own = snapshot.stamp if access.results else snapshot.slides_stamp
        return f"{own} {self.desk.stamp(access)}"

    def _read(self) -> None:
        self.table(EVERYTHING)
        self.snapshots.renew()


def _seen(snapshot: Snapshot, access: Access) -> tuple[list[str], list[Column]]:
    """Return the slides that a user sees, and those of their columns."""
    hidden = set() if access.results else {"result", "run"}
    if not access.labels:
        hidden |= {"slide", "label", "flag"}
    columns = [each for each in snapshot.columns if each.kind not in hidden]
    if access.names is None:
        return list(snapshot.names), columns
    places = {name: row for row, name in enumerate(snapshot.names)}
    known = {name: own for name, own in access.names.items() if own in places}
    return list(known), picked(columns, [places[own] for own in known.values()])
