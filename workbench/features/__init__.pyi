from .bias import Bias, measure_bias
from .features import Features
from .formats.run import features_of
from .opening import open_features
from .scores import TileScores

__all__ = [
    "Bias",
    "Features",
    "TileScores",
    "features_of",
    "measure_bias",
    "open_features",
]
