from .embeddings import Embeddings
from .heatmap import Heatmap
from .imported_instances import import_instances
from .run import Run, open_run

__all__ = [
    "Embeddings",
    "Heatmap",
    "Run",
    "import_instances",
    "open_run",
]
