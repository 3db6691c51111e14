from .associated_images import AssociatedImages
from .channels.channel import Channel
from .channels.composite import compose
from .channels.region import ChannelRegion
from .pixel_size import PixelSize
from .region import Region
from .slide import Slide, open_slide
from .tile_table import place_tiles
from .verify import Comparison, compare_readers

__all__ = [
    "AssociatedImages",
    "Channel",
    "ChannelRegion",
    "Comparison",
    "PixelSize",
    "Region",
    "Slide",
    "compare_readers",
    "compose",
    "open_slide",
    "place_tiles",
]
