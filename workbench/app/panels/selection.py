"""Selection on the slide: an annotation, instances or a box, and who uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.app.panels.instances.counts import is_region

if TYPE_CHECKING:
    import param

    from workbench.annotations.annotation import Annotation
    from workbench.app.panels.annotations import AnnotationPanel
    from workbench.app.panels.compare import ComparePanel
    from workbench.app.panels.instances.panel import InstancePanel
    from workbench.app.panels.overlays.panel import OverlayPanel
    from workbench.app.panels.run import RunPanel
    from workbench.app.panels.stain.panel import StainPanel
    from workbench.app.panels.tissue import TissuePanel
    from workbench.app.viewer.viewer import Viewer


class DrawnBoxes:
    """Passes boxes drawn on any of the slides shown to the stain panel.

    Parameters
    ----------
    stain : StainPanel
        A box can become its reference.
    compare : ComparePanel
    """

    def __init__(self, stain: StainPanel, compare: ComparePanel) -> None:
        self._stain = stain
        compare.param.watch(self._beside_changed, "beside")

    def attach(self, viewer: Viewer) -> None:
        """Pass the boxes of one more viewer."""
        viewer.param.watch(
            lambda event: self._stain.select(viewer.slide, event.new), "selection"
        )

    def _beside_changed(self, event: param.parameterized.Event) -> None:
        for beside in event.new:
            if beside not in event.old:
                self.attach(beside.viewer)


class Selection:
    """Selects one kind of object at a time, and passes the selection to the panels.

    Selecting an annotation deselects the instances and vice versa. The
    annotation is offered as the region of a run and as tissue or ink; instances are
    counted within the annotation or the box.

    Parameters
    ----------
    annotations : AnnotationPanel
    instances : InstancePanel
    overlays : OverlayPanel
    runs : RunPanel
    tissue : TissuePanel
    """

    def __init__(
        self,
        annotations: AnnotationPanel,
        instances: InstancePanel,
        *,
        overlays: OverlayPanel,
        runs: RunPanel,
        tissue: TissuePanel,
    ) -> None:
        self._annotations = annotations
        self._instances = instances
        self._overlays = overlays
        self._users = (runs, tissue)
        self._viewer: Viewer | None = None
        instances.counts.annotations = lambda: annotations.drawn
        annotations.param.watch(lambda _: self._annotation_selected(), "annotation")
        annotations.param.watch(lambda _: self._editor_opened(), "editor")
        instances.param.watch(lambda _: self._instances_opened(), "shown")
        overlays.param.watch(lambda _: annotations.refill(), "overlays")

    def attach(self, viewer: Viewer) -> None:
        """Follow the box that is drawn on another viewer from now on."""
        self._viewer = viewer
        viewer.param.watch(lambda _: self._count(), "selection")

    def _editor_opened(self) -> None:
        editor = self._annotations.editor
        if editor is None:
            return
        editor.delete_objects = self._instances.chosen.delete
        editor.runs_restricted_to = self._runs_restricted_to

        def selected(event: param.parameterized.Event) -> None:
            if event.new and self._instances.shown is not None:
                self._instances.shown.choose([])

        editor.param.watch(selected, "chosen")
        editor.param.watch(lambda _: self._instances.counts.refresh(), "version")

    def _instances_opened(self) -> None:
        shown = self._instances.shown
        if shown is None:
            return

        def selected(event: param.parameterized.Event) -> None:
            if len(event.new) and self._annotations.editor is not None:
                self._annotations.editor.chosen = ""

        shown.param.watch(selected, "chosen")

    def _runs_restricted_to(self, annotation: Annotation) -> str:
        """Return which of the runs shown were restricted to an annotation, as text."""
        shown = (overlay.run for overlay in self._overlays.overlays)
        runs = [run for run in shown if run is not None]
        if self._instances.run is not None:
            runs.append(self._instances.run)
        same = [run.card.name for run in runs if is_region(run, annotation)]
        names = ", ".join(dict.fromkeys(f"'{name}'" for name in same))
        return f"The run {names} keeps its own copy of the outline." if names else ""

    def _annotation_selected(self) -> None:
        for panel in self._users:
            panel.offer_annotation(self._annotations.annotation)
        self._count()

    def _count(self) -> None:
        """Count instances within the annotation or the box."""
        if self._viewer is not None:
            annotation, box = self._annotations.annotation, self._viewer.selection
            self._instances.counts.point_at(annotation, box)
