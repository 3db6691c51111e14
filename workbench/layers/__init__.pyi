from .class_map import ClassMapLayer
from .contours import ContourLayer
from .figure import draw_figure, snapshot
from .heatmap import HeatmapLayer, HeatmapStyle
from .instance_style import InstanceStyle, Limit
from .instances import InstanceLayer
from .layer import Layer, Legend, Pyramid, overlay_pyramid
from .live_instances import LiveInstanceLayer
from .recoloured import DifferenceLayer, NormalizedLayer, difference_picture
from .shapes import ShapeLayer
from .slide import ChannelsLayer, SlideLayer, slide_layer, slide_pyramid
from .stain import StainLayer
from .tile_outlines import TileOutlineLayer
from .tile_pixels import ChannelTiles
from .tile_scores import TileClassLayer, TileColourLayer, TileScoresLayer
from .tissue import TissueLayer

__all__ = [
    "ChannelTiles",
    "ChannelsLayer",
    "ClassMapLayer",
    "ContourLayer",
    "DifferenceLayer",
    "HeatmapLayer",
    "HeatmapStyle",
    "InstanceLayer",
    "InstanceStyle",
    "Layer",
    "Legend",
    "Limit",
    "LiveInstanceLayer",
    "NormalizedLayer",
    "Pyramid",
    "ShapeLayer",
    "SlideLayer",
    "StainLayer",
    "TileClassLayer",
    "TileColourLayer",
    "TileOutlineLayer",
    "TileScoresLayer",
    "TissueLayer",
    "difference_picture",
    "draw_figure",
    "overlay_pyramid",
    "slide_layer",
    "slide_pyramid",
    "snapshot",
]
