from .jupyter.notebook import Workbench
from .panels.stain.adviser_plot import advice_plot
from .viewer.viewer import View, Viewer

__all__ = [
    "View",
    "Viewer",
    "Workbench",
    "advice_plot",
]
