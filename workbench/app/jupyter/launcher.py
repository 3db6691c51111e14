"""Card of the app in JupyterLab's Launcher.

jupyter-server-proxy finds `server` through the entry point
`jupyter_serverproxy_servers`, starts the app when the card is clicked, and shows it
in a tab. The Jupyter server does not import Panel.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

from jupyter_server.serverapp import ServerApp

from workbench.app.catalog.environment import (
    RUNS_VARIABLE,
    SLIDES_VARIABLE,
    runs_from_environment,
    slides_from_environment,
)

_ICON: Final = Path(__file__).parents[1] / "icon.svg"


def server() -> dict[str, Any]:
    """Return the options with which jupyter-server-proxy starts and shows the app.

    The slides are those of `WORKBENCH_SLIDES`, otherwise those in the folder of the
    Jupyter server. The app listens on a socket in a private folder, as other users of
    the machine could reach a port.
    """
    folder = _jupyter_folder()
    return {
        "command": [
            *(sys.executable, "-m", "workbench.cli", "serve"),
            *("--address", "unix:{unix_socket}", "--origin", "*"),
        ],
        "environment": {
            SLIDES_VARIABLE: os.pathsep.join(slides_from_environment(folder)),
            RUNS_VARIABLE: runs_from_environment(f"{folder}/runs"),
        },
        "unix_socket": True,
        "absolute_url": False,
        # A cold disk of a hub takes minutes to read what a start imports.
        "timeout": 300,
        "new_browser_tab": False,
        # JupyterLab shows the icon of a card in the category "Notebook" only, the
        # default.
        "launcher_entry": {
            "title": "Slide Workbench",
            "icon_path": str(_ICON),
            "path_info": "workbench/workbench",
        },
    }


def _jupyter_folder() -> str:
    """Return the root folder of this Jupyter server's file browser."""
    if ServerApp.initialized():
        return str(ServerApp.instance().root_dir)
    return os.curdir
