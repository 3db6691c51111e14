from .accuracy import Accuracy, probe_accuracy
from .embedded import EmbeddedSlide
from .probe import Probe, fit_probe
from .probe_file import save_probe
from .run_labels import label_run
from .suggestions import suggest
from .tile_labels import TileLabels, label_tiles

__all__ = [
    "Accuracy",
    "EmbeddedSlide",
    "Probe",
    "TileLabels",
    "fit_probe",
    "label_run",
    "label_tiles",
    "probe_accuracy",
    "save_probe",
    "suggest",
]
