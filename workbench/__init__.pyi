# What is public, written once: `lazy_loader` imports these names when they are used.
from . import (
    annotations,
    app,
    errors,
    export,
    features,
    inference,
    instances,
    layers,
    models,
    provenance,
    quality,
    reading,
    registration,
    report,
    reproduction,
    results,
    slide,
    stain,
    study,
    synthetic,
    tiling,
    tissue,
    training,
)
from .annotations.annotation import Annotation
from .annotations.collection import Annotations, open_annotations
from .annotations.summary import summarize
from .app.jupyter.notebook import Workbench
from .area import Area
from .errors import WorkbenchError
from .export.dispatch import export_run
from .export.features import export_features
from .features.features import Features
from .features.index import FeatureIndex, open_index
from .features.index_building import build_index
from .features.opening import open_features
from .features.scores import TileScores
from .geometry import Box
from .inference.engine import run
from .inference.jobs import Job
from .layers.figure import snapshot
from .models.card import ModelCard
from .models.live_model import Model
from .models.registry import find_model, model_names
from .progress import Progress
from .provenance.provenance import Provenance
from .provenance.reading import read_provenance
from .recipe import Recipe
from .registration.register import register
from .registration.registration import Registration, open_registration
from .report.writing import write_report
from .reproduction.replay import replay
from .results.heatmap import Heatmap
from .results.run import Run, open_run
from .slide.channels.channel import Channel
from .slide.channels.region import ChannelRegion
from .slide.region import Region
from .slide.slide import Slide, open_slide
from .stain.adviser import advise
from .stain.normalizer import Normalizer, fit_normalizer
from .stain.per_image import normalize_images
from .stain.references import Reference, load_reference
from .study.study import Study, open_study
from .study.study_making import make_study
from .tissue.detection import find_tissue
from .training.loop.train import train

__version__: str

__all__ = [
    "Annotation",
    "Annotations",
    "Area",
    "Box",
    "Channel",
    "ChannelRegion",
    "FeatureIndex",
    "Features",
    "Heatmap",
    "Job",
    "Model",
    "ModelCard",
    "Normalizer",
    "Progress",
    "Provenance",
    "Recipe",
    "Reference",
    "Region",
    "Registration",
    "Run",
    "Slide",
    "Study",
    "TileScores",
    "Workbench",
    "WorkbenchError",
    "advise",
    "annotations",
    "app",
    "build_index",
    "errors",
    "export",
    "export_features",
    "export_run",
    "features",
    "find_model",
    "find_tissue",
    "fit_normalizer",
    "inference",
    "instances",
    "layers",
    "load_reference",
    "make_study",
    "model_names",
    "models",
    "normalize_images",
    "open_annotations",
    "open_features",
    "open_index",
    "open_registration",
    "open_run",
    "open_slide",
    "open_study",
    "provenance",
    "quality",
    "read_provenance",
    "reading",
    "register",
    "registration",
    "replay",
    "report",
    "reproduction",
    "results",
    "run",
    "slide",
    "snapshot",
    "stain",
    "study",
    "summarize",
    "synthetic",
    "tiling",
    "tissue",
    "train",
    "training",
    "write_report",
]
