"""`Session`: the panels of one session of the app, and their connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn
import param

from workbench.app.catalog.feature_indexes import IndexLibrary
from workbench.app.panels.annotations import AnnotationPanel
from workbench.app.panels.bookmarks import BookmarkPanel, Bookmarks
from workbench.app.panels.channels import ChannelPanel
from workbench.app.panels.commands import (
    compare_commands,
    layer_commands,
    run_commands,
    section_commands,
    slide_commands,
    stain_commands,
    view_commands,
)
from workbench.app.panels.compare import ComparePanel
from workbench.app.panels.drawing.copier import CopyPanel
from workbench.app.panels.drawing.proposer import Proposer
from workbench.app.panels.edit_history import EditHistory
from workbench.app.panels.features.other_slides import Retrieval
from workbench.app.panels.features.panel import FeaturesPanel
from workbench.app.panels.focus import FocusPanel
from workbench.app.panels.instances.panel import InstancePanel
from workbench.app.panels.instances.table import InstanceTable
from workbench.app.panels.learning.panel import LearningPanel
from workbench.app.panels.overlays.panel import OverlayPanel
from workbench.app.panels.run import RunPanel
from workbench.app.panels.selection import DrawnBoxes, Selection
from workbench.app.panels.slide import SlidePanel
from workbench.app.panels.slide_layers import SlideLayers
from workbench.app.panels.slide_notices import SlideNotices
from workbench.app.panels.snapshots import SnapshotPanel
from workbench.app.panels.stain.adviser import AdvicePanel
from workbench.app.panels.stain.panel import StainPanel
from workbench.app.panels.tissue import TissuePanel
from workbench.app.panels.training.panel import TrainingPanel
from workbench.app.url_state import Address, FeaturesLook
from workbench.app.url_sync import RUNS_LISTED, SLIDE_SHOWN, UrlSync, ViewAddress
from workbench.app.viewer.view import View
from workbench.app.viewer.viewer import Viewer
from workbench.app.widgets.background import Background, explain
from workbench.app.widgets.command_palette import CommandPalette
from workbench.app.widgets.connection import NOWHERE
from workbench.app.widgets.outer_page import OuterPage
from workbench.app.widgets.text import Notice
from workbench.errors import NoTissueError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.app.catalog.runs import SavedRun
    from workbench.app.catalog.site import Site
    from workbench.app.panels.features.other_slides import Place
    from workbench.app.url_state import OverlayLook
    from workbench.app.widgets.command_palette import Command
    from workbench.errors import WorkbenchError
    from workbench.progress import Progress
    from workbench.slide.slide import Slide

RESULTS: Final = "Results"
SECTIONS: Final = ("Slides", "Stain", "Run", RESULTS, "Annotate", "Views")
"""Tabs of the sidebar, in the order of the work."""

_UPLOADS: Final = "references"
_BOOKMARKS: Final = "bookmarks"
_TILE_SHOWN_PX: Final = 200
"""Side on the screen of a tile that is gone to in another slide, in CSS pixels."""

ANNOTATIONS: Final = "annotations"
"""Name of the folder of annotations, in that of the runs."""


class Session(pn.viewable.Viewer):
    """The panels of one session, and the viewer of its slide.

    The slide panel opens a slide; the session makes a viewer for it and attaches every
    panel to that viewer. `workbench.app.layout` arranges the panels on a page.

    Parameters
    ----------
    site : Site
    """

    viewer = param.Parameter(default=None, doc="The `Viewer` of the open slide.")
    begun = param.Boolean(default=False, doc="Whether the browser shows the page.")
    section = param.Selector(
        default=SECTIONS[0], objects=list(SECTIONS), doc="Open tab of the sidebar."
    )

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site
        self.message = Notice(
            "",
            severity="warning",
            closeable=True,
            visible=False,
            margin=8,
            sizing_mode="stretch_width",
        )
        self.background = Background(self.show_message)
        self._last_failure = ""
        self._make_slide_panels()
        self._make_run_panels()
        self._make_annotation_panels()
        self._connect()
        self.palette = CommandPalette(self._commands, **NOWHERE)
        self.outer_page = OuterPage(**NOWHERE)
        self.outer_page.param.watch(lambda event: self._told(event.new), "told")
        self._following, self._asked = Address(), ""

    def _make_slide_panels(self) -> None:
        site, background = self.site, self.background
        shows = {"labels": site.labels, "details": site.access.labels}
        self.slides = SlidePanel(site.library, background, **shows)
        self.stain = StainPanel(background, site.run_library.folder / _UPLOADS)
        self.channels, self.focus = ChannelPanel(background), FocusPanel()
        self.advice = AdvicePanel(site.library, background, self.stain.take_reference)
        self.compare = ComparePanel(site.library, background, site.run_library.folder)
        self.snapshots = SnapshotPanel(background, lambda: self.annotations.visible)

    def _make_run_panels(self) -> None:
        site, background = self.site, self.background
        self.overlays = OverlayPanel(
            background, lambda run: background.guard(self.runs.resume, run)
        )
        self.overlays.opened = lambda: self.open_section(RESULTS)
        self.overlays.compare = self.compare.show_overlay
        self.overlays.param.watch(
            lambda _: self.compare.keep(self.overlays.overlays), "overlays"
        )
        indexes = IndexLibrary(site.library, site.run_library)
        self.overlays.made_features = lambda overlay: overlay.retrieve_with(
            Retrieval(indexes), self._go_to_tile
        )
        self.features = FeaturesPanel(
            site.library, background, self.overlays.show_features
        )
        self.tissue = TissuePanel(background)
        self.runs = RunPanel(
            site.run_library,
            background,
            stain_options=lambda: (
                self.stain.options | self.tissue.options | self.channels.options
            ),
            show=self.overlays.show,
            changed=self._run_changed,
            open_results=lambda: self.open_section(RESULTS),
            annotations=lambda: self.annotations.drawn,
        )
        self.slide_notices = SlideNotices(
            site.run_library.folder,
            background,
            reopen=self.slides.reopen,
            claimed=self._show_claimed,
            anyway=self.runs.start_anyway,
        )

    def _make_annotation_panels(self) -> None:
        folder, background = self.site.run_library.folder, self.background
        self.history = EditHistory()
        self.annotations = AnnotationPanel(
            folder / ANNOTATIONS,
            background,
            reading=self.overlays.reading,
            take_reference=self.stain.take_annotation,
            history=self.history,
        )
        self.instances = InstancePanel(
            background,
            author=lambda: self.annotations.author,
            editor=lambda: self.annotations.editor,
            history=self.history,
        )
        self.table = InstanceTable(self.instances)
        self.learning = LearningPanel(
            background,
            self.overlays,
            self.annotations,
            saved=lambda _: self.runs.renew_models(),
        )
        self.proposer = Proposer(self.background)
        self.copies = CopyPanel(
            self.site.library, folder / ANNOTATIONS, self.annotations, background
        )
        self.training = TrainingPanel(
            self.site.trainings,
            self.site.library,
            folder / ANNOTATIONS,
            background,
            finished=lambda _: self.runs.renew_models(),
            open_slide=self.slides.choose,
        )

    def _connect(self) -> None:
        """Connect the panels with each other and with the URL."""
        self.slides.param.watch(lambda _: self._show_slide(), "slide")
        view, access = ViewAddress(), self.site.access
        self.url_sync = UrlSync(
            self.background,
            self.slides,
            at_once=(self.runs, self.stain) if access.leads else (self.stain,),
            on_slide=(view, self.compare),
            on_runs=(self.overlays, self.features, self.instances)
            if access.leads
            else (self.overlays,) * access.results,
        )
        self.bookmarks = BookmarkPanel(
            Bookmarks(self.site.run_library.folder / _BOOKMARKS),
            current=lambda: self.url_sync.address,
            go=self.url_sync.go,
        )
        selection = Selection(
            self.annotations,
            self.instances,
            overlays=self.overlays,
            runs=self.runs,
            tissue=self.tissue,
        )
        # In this order: the layers of a slide come before those of its overlays.
        self._attached = (
            *(self.channels, self.focus),
            SlideLayers(
                self.stain, self.compare, self.overlays, self.channels, self.focus
            ),
            DrawnBoxes(self.stain, self.compare),
            selection,
            *(self.compare, self.snapshots, self.bookmarks, self.slide_notices),
            self.overlays,
            *((self.features, self.instances) if access.leads else ()),
            self.tissue,
            *((self.runs, self.stain) if access.leads else (self.stain,)),
            self.annotations,
            self.proposer,
            self.copies,
            *((self.learning, self.training) if access.leads else ()),
            view,
        )
        self.stain.param.watch(self.runs.show_colours, "requested")
        self.focus.param.watch(lambda event: self.runs.use(event.new), "slide")
        self.param.watch(lambda _: self._search_features(), ["section", "viewer"])

    def show_message(self, sentence: str) -> None:
        """Show a message until the user closes it."""
        text = self.site.without_folders(sentence)
        self.message.param.update(object=text, closed=False, visible=True)

    @property
    def sections(self) -> tuple[str, ...]:
        """Tabs of the sidebar that the user has."""
        access = self.site.access
        left_out = {"Run": not access.leads, RESULTS: not access.results}
        return tuple(name for name in SECTIONS if not left_out.get(name))

    @property
    def slide(self) -> Slide | None:
        """The slide that is open."""
        slide: Slide | None = self.slides.slide
        return slide

    def begin(self, *, slide: str = "", model: str = "", normalize: str = "") -> None:
        """Open a slide, by default the first, with a model and a stain method."""
        self.begin_at(Address(slide=slide, model=model, normalize=normalize))

    def begin_at(self, address: Address) -> None:
        """Show what an address describes; without a slide in it, the first slide.

        Call it once the browser shows the page: changes made while the browser still
        builds the page may be lost.
        """
        self.begun = True
        self.compare.offer(self.slides.names)
        slide = self._asked or address.slide or next(iter(self.slides.names), "")
        self.url_sync.go(address.model_copy(update={"slide": slide}))
        self.slides.load_thumbnails()

    def close(self) -> None:
        """Release everything that the session holds; active runs continue."""
        for part in (
            *(self.runs, self.annotations, self.advice, self.instances),
            *(self.background, self.compare, self.slide_notices),
            *(self.features, self.training),
        ):
            part.close()
        if self.viewer is not None:
            self.viewer.close()

    def _commands(self) -> Iterator[Command]:
        """Yield what can be done now, as the command palette lists it."""
        yield from section_commands(self.sections, self.section, self.open_section)
        yield from stain_commands(self.stain)
        if self.site.access.leads:
            yield from run_commands(self.runs, self.background.guard)
        yield from layer_commands(self.overlays, self.instances, self.annotations)
        yield from view_commands(self.bookmarks, self.snapshots)
        yield from slide_commands(self.slides)
        yield from compare_commands(self.compare, self.slides.names)

    def _show_slide(self) -> None:
        slide = self.slides.slide
        old = self.viewer
        viewer = Viewer(slide, on_error=self._tile_failed, keys="page")
        for part in self._attached:
            part.attach(viewer)
        self.viewer = viewer
        if old is not None and old.slide.id == slide.id:  # its pixel size was given
            kept = ("angle", "mirrored", "tones")
            old_look = {name: getattr(old, name) for name in kept}
            viewer.param.update(view=old.view, **old_look)
        self.url_sync.happened(SLIDE_SHOWN)
        self.outer_page.shown = self.slides.chosen
        self._list_runs()
        if old is not None:
            old.clear()

    def _tile_failed(self, error: WorkbenchError) -> None:
        """Show once why tiles cannot be drawn; called from any thread."""
        sentence = explain(error)
        if sentence != self._last_failure:
            self._last_failure = sentence
            self.background.later(lambda: self.show_message(sentence))

    def _list_runs(self) -> None:
        slide = self.slides.slide

        def offer(saved: list[SavedRun]) -> None:
            self.overlays.offer(saved)
            if self.site.access.leads:
                self.instances.offer(saved)
            self.url_sync.happened(RUNS_LISTED)

        self.background.do(
            lambda: self.site.run_library.saved(slide), offer, slot="saved"
        )

    def _go_to_tile(self, place: Place, look: OverlayLook) -> None:
        """Open another slide at a tile, with its file of features as shown here."""
        x0, y0, x1, y1 = place.box.x0, place.box.y0, place.box.x1, place.box.y1
        view = View((x0 + x1) / 2, (y0 + y1) / 2, max(1.0, (x1 - x0) / _TILE_SHOWN_PX))
        update: dict[str, Any] = {"run": place.file}
        if isinstance(look, FeaturesLook):
            update["row"] = place.row
        shown = [look.model_copy(update=update)] if place.file else []
        files = tuple(each for each in shown if isinstance(each, FeaturesLook))
        runs = tuple(each for each in shown if not isinstance(each, FeaturesLook))
        new: dict[str, Any] = {"slide": place.slide, "view": view}
        new |= {"features": files, "overlays": runs, "image": None}
        new |= {"objects": None, "beside": ()}
        self.url_sync.go(self.url_sync.address.model_copy(update=new))

    def show_next(self, name: str) -> None:
        """Open another slide at the same place, with the same layers."""
        if name == self.slides.chosen and self.url_sync.settled:
            return
        # While a slide is being opened, its layers are those of the one before it.
        shown = self.url_sync.address if self.url_sync.settled else self._following
        new: dict[str, Any] = {"slide": name, "image": None, "beside": ()}
        self._following = shown.model_copy(update=new)
        self.url_sync.go(self._following)

    def _told(self, message: dict[str, Any]) -> None:
        slide = message.get("slide")
        if isinstance(slide, str) and slide:
            self._asked = slide
            if self.begun:
                self.show_next(slide)

    def _search_features(self) -> None:
        """Look for files of features once the tab that lists them is open."""
        if self.section == RESULTS and self.site.access.leads:
            self.features.search(self.slides.chosen)

    def open_section(self, name: str) -> None:
        """Open a tab of the sidebar, one of `SECTIONS`."""
        self.section = name

    def _show_claimed(self) -> None:
        """Show work of an earlier version that a user has claimed for the slide."""
        if self.viewer is not None:
            self.annotations.attach(self.viewer)
            self.bookmarks.attach(self.viewer)
            self._list_runs()

    def _run_changed(self, progress: Progress) -> None:
        self.overlays.refresh()
        job = self.runs.job
        if job is not None and isinstance(job.error, NoTissueError):
            text = self.site.without_folders(job.error.message)
            self.slide_notices.nothing_to_run(text)
        elif progress.status == "failed":
            self.show_message(progress.message)
        if progress.status not in ("waiting", "running"):
            self._list_runs()
