from .channel_measures import add_measures, measure_channels
from .counts import area_mm2, count, poisson, positivity, wilson
from .edited import EditedInstances
from .edits import InstanceEdits
from .instances import Instances
from .measure import measure
from .metrics import Agreement, agreement
from .source import InstanceSource
from .stain_measures import measure_stains
from .store import InstanceStore, open_instances
from .tracing import Outlines, trace
from .writer import InstanceWriter

__all__ = [
    "Agreement",
    "EditedInstances",
    "InstanceEdits",
    "InstanceSource",
    "InstanceStore",
    "InstanceWriter",
    "Instances",
    "Outlines",
    "add_measures",
    "agreement",
    "area_mm2",
    "count",
    "measure",
    "measure_channels",
    "measure_stains",
    "open_instances",
    "poisson",
    "positivity",
    "trace",
    "wilson",
]
