"""A notebook cell's frame of the app, and its connection to the server.

The script in the frame finds the URL of the server, as that depends on the page around
it: through Jupyter's proxy, or directly if the browser is on this machine. If neither
works in time, a widget replaces the frame and uses the notebook's own connection
(`tunnel.py`).
"""

from __future__ import annotations

import base64
import json
import logging
import os
import secrets
import threading
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from workbench.app.jupyter.tunnel import Relay
from workbench.app.viewer.js_bundle import bundle
from workbench.markup import render

if TYPE_CHECKING:
    from workbench.app.jupyter.kernel_server import KernelServer

_log = logging.getLogger("workbench.app")
_HUB_VARIABLE: Final = "JUPYTERHUB_SERVICE_PREFIX"
"""URL prefix of a user's server behind JupyterHub; JupyterHub sets it."""

_PATIENCE_S: Final = 4.0
_STYLE: Final = "width:100%;border:0;border-radius:8px;display:block"


class Cell:
    """A frame that shows one page of the server.

    Parameters
    ----------
    server : KernelServer
    page : str
        Path of the page, relative to the server's root.
    height : int
        Height of the frame in pixels.
    picture : bytes
        PNG beside the frame's HTML, for what shows a saved notebook without HTML;
        empty: none.

    Attributes
    ----------
    facts : dict of str
        Values with which the script in the frame finds the server.
    """

    def __init__(
        self, server: KernelServer, page: str, height: int, picture: bytes = b""
    ) -> None:
        self._picture = picture
        self.name = f"workbench-{secrets.token_hex(6)}"
        self._server = server
        self.facts = {
            "cell": self.name,
            "page": page,
            "height": str(height),
            "port": server.port,
            "prefix": server.prefix,
            "root": server.root,
            "answer": server.answer,
            "hub": os.environ.get(_HUB_VARIABLE, ""),
        }
        server.expect(self.name)

    @property
    def connection(self) -> str:
        """Kind of connection, of `CONNECTIONS`; empty before there is one."""
        return self._server.connection(self.name)

    def html(self) -> str:
        """Return the frame as HTML; its script finds the URL once it is in a page."""
        facts = json.dumps(self.facts).replace("<", "\\u003c")
        script = f"(() => {{ {_SCRIPT} workbenchCell.fill({facts}); }})();"
        page = render(
            "frame",
            name=self.name,
            height=self.facts["height"],
            style=_STYLE,
            sentence=_NO_CONNECTION,
            script=Markup(script),  # noqa: S704 - own script, and JSON without "<"
        )
        return str(page)

    def bundle(self, text: str) -> dict[str, str]:
        """Return frame and picture by their media types; `text` is for consoles."""
        bundle = {"text/plain": text, "text/html": self.html()}
        if self._picture:
            bundle["image/png"] = base64.b64encode(self._picture).decode("ascii")
        return bundle

    def show(self, text: str) -> None:
        """Show the frame in the notebook's current cell; `text` is for consoles."""
        from IPython import display, get_ipython  # noqa: PLC0415 - it calls this

        bundle = self.bundle(text)
        display.display(bundle, raw=True, display_id=self.name)
        if getattr(get_ipython(), "kernel", None) is not None:
            threading.Thread(
                target=self._replace_by_widget,
                args=(bundle,),
                name=self.name,
                daemon=True,
            ).start()

    def _replace_by_widget(self, bundle: dict[str, str]) -> None:
        """Replace the frame by a widget, if it has not found the server."""
        if self._server.wait_for(self.name, _PATIENCE_S):
            return
        from IPython import display  # noqa: PLC0415 - as above

        try:
            widget = self._widget()
        except ImportError:
            _log.warning("The app is not shown: %s", _NO_CONNECTION)
            return
        data, metadata = widget._repr_mimebundle_()
        bundle = {**bundle, **data, "text/plain": bundle["text/plain"]}
        del bundle["text/html"]
        display.display(
            bundle, metadata=metadata, raw=True, display_id=self.name, update=True
        )

    def _widget(self) -> Any:
        import anywidget  # noqa: PLC0415 - of the extra "jupyter", and for this only
        import traitlets  # noqa: PLC0415

        kind = type(
            "Tunnel",
            (anywidget.AnyWidget,),
            {
                "_esm": FRAME_ESM,
                "facts": traitlets.Dict().tag(sync=True),
            },
        )
        widget = kind(facts=self.facts)
        self.connect(widget)
        return widget

    def connect(self, widget: Any) -> None:
        """Connect the server to a widget whose module is `FRAME_ESM`."""
        relay = Relay(self._server.root, self._server.loop, widget.send)

        def take(_: object, message: dict[str, Any], buffers: list[Any]) -> None:
            self._server.reached(self.name, "comm") if not self.connection else None
            relay.take(message, buffers)

        widget.on_msg(take)


_NO_CONNECTION: Final = (
    "The app cannot be reached from here. Install jupyter-server-proxy where Jupyter"
    " runs, or anywidget where the kernel runs, and run the cell again."
)

_SCRIPT: Final = bundle("cell")

FRAME_ESM: Final = bundle("tunnel")
"""JavaScript module of a widget that shows a page of the server; uses trait `facts`."""
