from .annotation import Annotation
from .classes import colour_of
from .collection import Annotations, open_annotations
from .edits import Edit
from .geojson import Imported, read_geojson, write_geojson
from .summary import summarize

__all__ = [
    "Annotation",
    "Annotations",
    "Edit",
    "Imported",
    "colour_of",
    "open_annotations",
    "read_geojson",
    "summarize",
    "write_geojson",
]
