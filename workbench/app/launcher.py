"""The card in JupyterLab's Launcher.

jupyter-server-proxy finds `server` through the entry point
`jupyter_serverproxy_servers`, starts the app when the card is clicked, and shows it
in a tab. Nothing of Panel is imported into the Jupyter server.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any, Final

_ICON: Final = Path(__file__).parent / "icon.svg"


def server() -> dict[str, Any]:
    """Return how jupyter-server-proxy shall start and show the app.

    The slides are those of `WORKBENCH_SLIDES`, else those in the folder of the
    Jupyter server. Every path of the app begins with a secret that only the proxy
    knows, because other users of the machine reach the port as well.
    """
    secret = secrets.token_urlsafe(24)

    def with_secret(path: str) -> str:
        return f"/{secret}{path}"

    return {
        "command": [
            *(sys.executable, "-m", "workbench.cli", "serve"),
            *("--port", "{port}", "--address", "127.0.0.1", "--origin", "*"),
        ],
        "environment": {
            "WORKBENCH_PREFIX": secret,
            "WORKBENCH_SLIDES": os.environ.get("WORKBENCH_SLIDES", os.curdir),
        },
        "mappath": with_secret,
        "absolute_url": False,
        "timeout": 60,
        "new_browser_tab": False,
        "launcher_entry": {
            "title": "Slide Workbench",
            "icon_path": str(_ICON),
            "path_info": "workbench/workbench",
            "category": "Other",
        },
    }
