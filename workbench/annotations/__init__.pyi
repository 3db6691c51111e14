from .annotation import Annotation
from .classes import colour_of
from .clicked import clicked_object
from .collection import Annotations, open_annotations
from .edits import Edit
from .geojson import Imported, read_geojson, write_geojson
from .shaping import combined, erased, filled, painted, rescaled, simplified, stroke
from .summary import summarize
from .wand import Wand

__all__ = [
    "Annotation",
    "Annotations",
    "Edit",
    "Imported",
    "Wand",
    "clicked_object",
    "colour_of",
    "combined",
    "erased",
    "filled",
    "open_annotations",
    "painted",
    "read_geojson",
    "rescaled",
    "simplified",
    "stroke",
    "summarize",
    "write_geojson",
]
