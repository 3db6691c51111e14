from .bias import Bias, measure_bias
from .features import Features
from .formats.run import features_of
from .index import FeatureIndex, open_index
from .index_building import build_index
from .opening import open_features
from .scores import TileScores
from .text import text_scores

__all__ = [
    "Bias",
    "FeatureIndex",
    "Features",
    "TileScores",
    "build_index",
    "features_of",
    "measure_bias",
    "open_features",
    "open_index",
    "text_scores",
]
