from .embeddings import Embeddings
from .heatmap import Heatmap
from .run import Run, open_run

__all__ = [
    "Embeddings",
    "Heatmap",
    "Run",
    "open_run",
]
