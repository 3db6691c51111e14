"""The app of one session: the slide in the middle, what can be done beside it."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import panel as pn
import param

from workbench.app.panels.annotations import AnnotationPanel
from workbench.app.panels.bookmarks import BookmarkPanel, Bookmarks
from workbench.app.panels.compare import COLOURS, OFF, OVERLAYS, ComparePanel
from workbench.app.panels.edit_history import EditHistory
from workbench.app.panels.instances.counts import is_region
from workbench.app.panels.instances.panel import InstancePanel
from workbench.app.panels.instances.table import InstanceTable
from workbench.app.panels.overlays.panel import OverlayPanel
from workbench.app.panels.run import RunPanel
from workbench.app.panels.slide import SlidePanel
from workbench.app.panels.slide_notices import SlideNotices
from workbench.app.panels.snapshots import SnapshotPanel
from workbench.app.panels.stain.adviser import AdvicePanel
from workbench.app.panels.stain.panel import StainPanel
from workbench.app.panels.stain.state import NORMALIZED, SCANNED, layer_of
from workbench.app.panels.tissue import TissuePanel
from workbench.app.url_state import Address
from workbench.app.url_sync import UrlSync
from workbench.app.viewer.viewer import Viewer
from workbench.app.widgets.background import Background, explain
from workbench.app.widgets.text import Notice, Text
from workbench.errors import NoTissueError
from workbench.layers.layer import overlay_pyramid
from workbench.layers.slide import SlideLayer
from workbench.stain.within import reference_within

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.annotations.annotation import Annotation
    from workbench.app.catalog.runs import SavedRun
    from workbench.app.catalog.site import Site
    from workbench.app.viewer.layer_handle import LayerHandle
    from workbench.errors import WorkbenchError
    from workbench.progress import Progress
    from workbench.results.run import Run
    from workbench.slide.slide import Slide
    from workbench.stain.references import Reference

_FILLING: Final[dict[str, Any]] = {"sizing_mode": "stretch_both"}
_UPLOADS: Final = "references"
_BOOKMARKS: Final = "bookmarks"
_ANNOTATIONS: Final = "annotations"


class Session(pn.viewable.Viewer):
    """Everything a user sees, for one session.

    Data flows one way: a panel changes what it owns, the app hears of it and tells
    the viewer and the panels that come after.

    Parameters
    ----------
    site : Site
    """

    viewer = param.Parameter(default=None, doc="Shows the open slide.")

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
        self.background = Background(self.tell)
        self.slides = SlidePanel(site.library, self.background, labels=site.labels)
        self.stain = StainPanel(self.background, site.shelf.folder / _UPLOADS)
        self.advice = AdvicePanel(site.library, self.background, self._take_medoid)
        self.overlays = OverlayPanel(self.background, self._resume)
        self.tissue = TissuePanel(self.background)
        self.runs = RunPanel(
            site.shelf,
            self.background,
            stain_options=lambda: {**self.stain.options, **self.tissue.options},
            show=self._show_run,
            changed=self._run_changed,
            annotations=self._marked,
        )
        self.history = EditHistory()
        self.annotations = AnnotationPanel(
            site.shelf.folder / _ANNOTATIONS,
            self.background,
            reading=self.overlays.reading,
            take_reference=self._take_reference,
            history=self.history,
        )
        self.instances = InstancePanel(
            self.background,
            author=lambda: self.annotations.author,
            editor=lambda: self.annotations.editor,
            history=self.history,
        )
        self.table = InstanceTable(self.instances)
        self.compare = ComparePanel(site.library, self.background)
        self.slide_notices = SlideNotices(
            site.shelf.folder,
            self.background,
            reopen=self.slides.reopen,
            claimed=self._take_over,
            anyway=self.runs.start_anyway,
        )
        self.snapshots = SnapshotPanel(self.background, self._marks_shown)
        self.viewers = pn.Row(Text("Choose a slide.", margin=24), **_FILLING)
        self._base: LayerHandle | None = None
        self._last_failure = ""
        self._raw: LayerHandle | None = None
        self._watch()
        self.url_sync = UrlSync(self)
        self.bookmarks = BookmarkPanel(
            Bookmarks(site.shelf.folder / _BOOKMARKS),
            lambda: self.url_sync.address,
            self._go_back,
        )

    def _watch(self) -> None:
        """Hear of what panels change, and tell those that come after."""
        self.slides.param.watch(lambda _: self._show_slide(), "slide")
        self.instances.counts.annotations = self._marked
        self.stain.param.watch(self.runs.tell_colours, "asked")
        self.stain.param.watch(lambda _: self._paint(), ["fitted", "look"])
        self.compare.param.watch(lambda _: self._paint(), "swiped")
        self.compare.param.watch(lambda _: self._arrange(), "beside")
        self.compare.param.watch(self._listen_beside, "beside")
        self.overlays.param.watch(lambda _: self._swipe_overlays(), "overlays")
        self.overlays.param.watch(lambda _: self.annotations.refill(), "overlays")
        self.annotations.param.watch(lambda _: self._marked_one(), "annotation")
        self.annotations.param.watch(lambda _: self._wire_editor(), "editor")
        self.instances.param.watch(lambda _: self._wire_objects(), "shown")

    def tell(self, sentence: str) -> None:
        """Show a notice until the user closes it."""
        text = self.site.without_folders(sentence)
        self.message.param.update(object=text, closed=False, visible=True)

    @property
    def slide(self) -> Slide | None:
        """The slide that is open."""
        slide: Slide | None = self.slides.slide
        return slide

    def begin(self, *, slide: str = "", model: str = "", normalize: str = "") -> None:
        """Open a slide, the first one by default, with what is chosen at first."""
        self.begin_at(Address(slide=slide, model=model, normalize=normalize))

    def begin_at(self, address: Address) -> None:
        """Show what an address says; where it names no slide, the first one.

        Called once the browser shows the page: what changes while it is still being
        built there may be lost.
        """
        self.compare.offer(self.slides.names)
        first = next(iter(self.slides.names), "")
        self.url_sync.go(replace(address, slide=address.slide or first))
        self.slides.load_thumbnails()

    def close(self) -> None:
        """Let go of everything the session holds; runs under way go on."""
        self.runs.close()
        self.annotations.close()
        self.advice.close()
        self.instances.close()
        self.background.close()
        self.compare.close()
        self.slide_notices.close()
        if self.viewer is not None:
            self.viewer.close()

    def _show_slide(self) -> None:
        slide = self.slides.slide
        old = self.viewer
        viewer = Viewer(slide, on_error=self._tile_failed)
        layer = SlideLayer(slide)
        self._base, self._raw = viewer.add_layer(layer), None
        self._take_boxes_of(viewer)
        viewer.param.watch(lambda _: self._count(), "selection")
        self.viewer = viewer
        self.compare.attach(viewer)
        self.snapshots.attach(viewer)
        self.bookmarks.attach(slide)
        self.slide_notices.attach(slide)
        self._arrange()
        self.overlays.attach(viewer, overlay_pyramid(slide.size))
        self.instances.attach(slide, viewer, overlay_pyramid(slide.size))
        self.tissue.attach(slide, viewer)
        self.runs.attach(slide, viewer)
        self.stain.attach(slide)
        self.annotations.attach(slide, viewer)
        if old is not None and old.slide.id == slide.id:  # its pixel size was given
            old_look = {name: getattr(old, name) for name in ("turn", "mirrored")}
            viewer.param.update(view=old.view, **old_look)
        self.url_sync.arrived(viewer)
        self._list_saved()
        if old is not None:
            old.clear()

    def _arrange(self) -> None:
        if self.viewer is not None:
            self.viewers.objects = [self.viewer, *self.compare.beside]

    def _listen_beside(self, event: param.parameterized.Event) -> None:
        """Let a box drawn on a slide beside this one be the reference, too."""
        for beside in event.new:
            if beside not in event.old:
                self._take_boxes_of(beside.viewer)

    def _take_boxes_of(self, viewer: Viewer) -> None:
        viewer.param.watch(
            lambda event: self.stain.select(viewer.slide, event.new), "selection"
        )

    def _wire_editor(self) -> None:
        """Let one thing be chosen at a time, and let its deletion say what it was."""
        editor = self.annotations.editor
        if editor is None:
            return
        editor.delete_objects = self.instances.chosen.delete
        editor.kept_by = self._kept_by

        def chosen(event: param.parameterized.Event) -> None:
            if event.new and self.instances.shown is not None:
                self.instances.shown.choose([])

        editor.param.watch(chosen, "chosen")
        editor.param.watch(lambda _: self.instances.counts.refresh(), "version")

    def _marked(self) -> list[Annotation]:
        """Return what is marked on the slide."""
        editor = self.annotations.editor
        return [] if editor is None else list(editor.edits.annotations)

    def _marks_shown(self) -> list[Annotation]:
        """Return the annotations that are shown on the slide."""
        editor = self.annotations.editor
        return self._marked() if editor is not None and editor.shown else []

    def _wire_objects(self) -> None:
        shown = self.instances.shown
        if shown is None:
            return

        def chosen(event: param.parameterized.Event) -> None:
            if len(event.new) and self.annotations.editor is not None:
                self.annotations.editor.chosen = ""

        shown.param.watch(chosen, "chosen")

    def _kept_by(self, annotation: Annotation) -> str:
        """Say which of the runs that are shown were restricted to an annotation."""
        runs = [overlay.run for overlay in self.overlays.overlays]
        if self.instances.run is not None:
            runs.append(self.instances.run)
        same = [run.card.name for run in runs if is_region(run, annotation)]
        names = ", ".join(dict.fromkeys(f"'{name}'" for name in same))
        return f"The run {names} keeps its own copy of the outline." if names else ""

    def _marked_one(self) -> None:
        for panel in (self.runs, self.tissue):
            panel.mark_chosen(self.annotations.annotation)
        self._count()

    def _count(self) -> None:
        """Count objects where the user points at."""
        if self.viewer is not None:
            annotation, box = self.annotations.annotation, self.viewer.selection
            self.instances.counts.point_at(annotation, box)

    def _tile_failed(self, error: WorkbenchError) -> None:
        """Say once why a part of the picture is hatched; called from any thread."""
        sentence = explain(error)
        if sentence != self._last_failure:
            self._last_failure = sentence
            self.background.later(lambda: self.tell(sentence))

    def _paint(self) -> None:
        slide, base = self.slides.slide, self._base
        if slide is None or base is None:
            return
        fitted, look = self.stain.fitted, self.stain.look
        swiped = fitted is not None and self.compare.swiped == COLOURS
        if swiped and look == SCANNED:
            look = NORMALIZED
        if fitted is not None and fitted.slide is slide and look != SCANNED:
            base.layer = layer_of(fitted, look)
        elif not isinstance(base.layer, SlideLayer):
            base.layer = SlideLayer(slide)
        self._lay_raw_under(base, swiped=swiped)
        self._swipe_overlays()

    def _lay_raw_under(self, base: LayerHandle, *, swiped: bool) -> None:
        """Have the slide as it was scanned left of the divider, if that is wanted."""
        base.swiped = swiped
        if swiped and self._raw is None:
            layer = SlideLayer(self.viewer.slide)
            self._raw = self.viewer.add_layer(layer, under=base)
        elif not swiped and self._raw is not None:
            self.viewer.remove_layer(self._raw)
            self._raw = None

    def _swipe_overlays(self) -> None:
        swiped = self.compare.swiped
        for overlay in self.overlays.overlays:
            overlay.handle.swiped = swiped == OVERLAYS
        hints = {
            OFF: "",
            COLOURS: "" if self.stain.fitted else "Choose a stain method first.",
            OVERLAYS: "" if self.overlays.overlays else "Show a run first.",
        }
        self.compare.say(hints[swiped])

    def _take_reference(self, annotation: Annotation) -> None:
        """Save the colours within an annotation, and normalize to them."""
        slide = self.slides.slide
        name = f"{annotation.title} of {slide.name}"

        def save() -> Path:
            reference = reference_within(slide, annotation.area, name=name)
            return self._saved(reference, annotation.id)

        self.background.do(save, self.stain.take, slot="reference")

    def _take_medoid(self, reference: Reference) -> None:
        """Save what the adviser proposes, and normalize to it."""
        self.background.do(
            lambda: self._saved(reference, "advised"), self.stain.take, slot="reference"
        )

    def _saved(self, reference: Reference, name: str) -> Path:
        """Return the file of a reference that a run can name."""
        folder = self.site.shelf.folder / _UPLOADS
        folder.mkdir(parents=True, exist_ok=True)
        path: Path = folder / f"{name}-{secrets.token_hex(4)}.json"
        reference.save(path)
        return path

    def _list_saved(self) -> None:
        slide = self.slides.slide
        self.background.do(
            lambda: self.site.shelf.saved(slide), self._offer, slot="saved"
        )

    def _take_over(self) -> None:
        """Show what an earlier version saved, now that it is known whose it is."""
        if self.viewer is not None:
            slide = self.viewer.slide
            self.annotations.attach(slide, self.viewer)
            self.bookmarks.attach(slide)
            self._list_saved()

    def _go_back(self, address: Address) -> None:
        # The file may be served under another name by now.
        self.url_sync.go(replace(address, slide=self.slides.chosen))

    def _offer(self, saved: list[SavedRun]) -> None:
        self.overlays.offer(saved)
        self.instances.offer(saved)
        self.url_sync.listed()

    def _show_run(self, run: Run, channel: str) -> None:
        self.overlays.show(run, channel)

    def _resume(self, run: Run) -> None:
        slide = self.slides.slide
        if slide is not None:
            self.background.guard(self.runs.resume, slide, run)

    def _run_changed(self, progress: Progress) -> None:
        self.overlays.refresh()
        job = self.runs.job
        if job is not None and isinstance(job.error, NoTissueError):
            self.slide_notices.nothing_to_run(
                self.site.without_folders(job.error.message)
            )
        elif progress.status == "failed":
            self.tell(progress.message)
        if progress.status not in ("waiting", "running"):
            self._list_saved()
