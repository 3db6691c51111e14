from .features import Features
from .opening import open_features
from .scores import TileScores

__all__ = [
    "Features",
    "TileScores",
    "open_features",
]
