from .accuracy import Accuracy
from .attention import AttentionModel, open_attention
from .attention_fit import attention_accuracy, fit_attention
from .embedded import EmbeddedSlide
from .instance_classifier import (
    Classified,
    InstanceClassifier,
    fit_instance_classifier,
    open_instance_classifier,
)
from .instance_labels import apply_classifier, instance_accuracy, reclassified
from .loop.recipe import TrainingRecipe
from .loop.train import Training, train
from .outcomes import OutcomeAccuracy, concordance
from .probe import Probe, fit_probe
from .probe_accuracy import probe_accuracy
from .probe_file import save_probe
from .run_labels import label_run
from .suggestions import suggest
from .tile_labels import TileLabels, label_tiles
from .training_set import export_training_set

__all__ = [
    "Accuracy",
    "AttentionModel",
    "Classified",
    "EmbeddedSlide",
    "InstanceClassifier",
    "OutcomeAccuracy",
    "Probe",
    "TileLabels",
    "Training",
    "TrainingRecipe",
    "apply_classifier",
    "attention_accuracy",
    "concordance",
    "export_training_set",
    "fit_attention",
    "fit_instance_classifier",
    "fit_probe",
    "instance_accuracy",
    "label_run",
    "label_tiles",
    "open_attention",
    "open_instance_classifier",
    "probe_accuracy",
    "reclassified",
    "save_probe",
    "suggest",
    "train",
]
