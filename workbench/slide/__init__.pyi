from .associated_images import AssociatedImages
from .pixel_size import PixelSize
from .region import Region
from .slide import Slide, open_slide
from .tile_table import place_tiles
from .verify import Comparison, compare_readers

__all__ = [
    "AssociatedImages",
    "Comparison",
    "PixelSize",
    "Region",
    "Slide",
    "compare_readers",
    "open_slide",
    "place_tiles",
]
