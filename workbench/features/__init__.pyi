from .features import Features
from .formats.run import features_of
from .opening import open_features
from .scores import TileScores

__all__ = [
    "Features",
    "TileScores",
    "features_of",
    "open_features",
]
