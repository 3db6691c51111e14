from .layout import CLASSES
from .nuclei import NUCLEUS_CLASSES
from .scanners import SCANNERS, Scanner
from .stains import STAININGS, Staining
from .truth import Truth, load_truth
from .writer import write_pyramid, write_real_sample, write_slide

__all__ = [
    "CLASSES",
    "NUCLEUS_CLASSES",
    "SCANNERS",
    "STAININGS",
    "Scanner",
    "Staining",
    "Truth",
    "load_truth",
    "write_pyramid",
    "write_real_sample",
    "write_slide",
]
