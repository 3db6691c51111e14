from .chunk_order import ChunkOrder, chunks_of
from .coverage import Coverage
from .damaged_tiles import DamagedTiles
from .grid import Grid
from .prefetch import Batch, read_batches

__all__ = [
    "Batch",
    "ChunkOrder",
    "Coverage",
    "DamagedTiles",
    "Grid",
    "chunks_of",
    "read_batches",
]
