"""A page of JupyterLab."""

from __future__ import annotations

TOKEN = "only-for-this-test"  # noqa: S105 - of a server of this test


READY = """() => {
  const widget = window.jupyterapp?.shell.currentWidget;
  const kernel = widget?.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === "connected" && kernel.status === "idle";
}"""


class Lab:
    """A page of JupyterLab."""

    def __init__(self, watched, root, path=""):
        self.watched = watched
        self.page = watched.page
        self.page.set_viewport_size({"width": 1400, "height": 900})
        # A workspace of its own: what another test left open is not restored.
        self.page.goto(f"{root}lab{path}?token={TOKEN}&reset")
        self.page.wait_for_function("() => window.jupyterapp")
        self.page.evaluate("async () => { await jupyterapp.restored; return 0; }")

    def command(self, name):
        self.page.evaluate(
            "async (name) => { await jupyterapp.commands.execute(name); return 0; }",
            name,
        )

    def app_frame(self, part):
        """Return the frame of the app, once every visible tile is painted."""
        for _ in range(600):
            for frame in self.page.frames:
                if part in frame.url and frame.evaluate(
                    "() => window.probe && window.Bokeh && probe.stage() !== undefined"
                    " && probe.stage().dataset.state === 'ready'"
                ):
                    return frame
            self.page.wait_for_timeout(100)
        message = f"no app among {[frame.url for frame in self.page.frames]}"
        raise AssertionError(message)
