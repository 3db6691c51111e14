"""The card in JupyterLab's Launcher.

jupyter-server-proxy finds `server` through the entry point
`jupyter_serverproxy_servers`, starts the app when the card is clicked, and shows it
in a tab. Nothing of Panel is imported into the Jupyter server.
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
    """Return how jupyter-server-proxy shall start and show the app.

    The slides are those of `WORKBENCH_SLIDES`, else those in the folder of the
    Jupyter server. The app listens on a socket in a folder that only this user can
    enter, because others on the machine could reach a port.
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
        "timeout": 60,
        "new_browser_tab": False,
        # JupyterLab shows a card's own icon in its category "Notebook" only, which is
        # the default.
        "launcher_entry": {
            "title": "Slide Workbench",
            "icon_path": str(_ICON),
            "path_info": "workbench/workbench",
        },
    }


def _jupyter_folder() -> str:
    """Return the folder that the file browser of this Jupyter server shows."""
    if ServerApp.initialized():
        return str(ServerApp.instance().root_dir)
    return os.curdir
