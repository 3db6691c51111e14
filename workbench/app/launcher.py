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
    Jupyter server. Every path of the app begins with a secret that only users of this
    Jupyter server are told, because others on the machine reach the port as well.
    """
    secret = secrets.token_urlsafe(24)

    return {
        "command": [
            *(sys.executable, "-m", "workbench.cli", "serve"),
            *("--port", "{port}", "--address", "127.0.0.1", "--origin", "*"),
        ],
        "environment": {
            "WORKBENCH_PREFIX": secret,
            "WORKBENCH_SLIDES": os.environ.get("WORKBENCH_SLIDES", os.curdir),
        },
        "absolute_url": False,
        "timeout": 60,
        "new_browser_tab": False,
        "launcher_entry": {
            "title": "Slide Workbench",
            "icon_path": str(_ICON),
            "path_info": f"workbench/{secret}/workbench",
            "category": "Other",
        },
    }
