from .jupyter.notebook import Workbench
from .panels.stain.adviser_plot import advice_plot
from .viewer.tissue_link import link_viewers
from .viewer.view import Tones, View
from .viewer.viewer import Viewer

__all__ = [
    "Tones",
    "View",
    "Viewer",
    "Workbench",
    "advice_plot",
    "link_viewers",
]
