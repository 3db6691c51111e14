"""Made slides with known truth, in H&E and other stains; deterministic from a seed."""

from workbench.synthetic.layout import CLASSES
from workbench.synthetic.nuclei import NUCLEUS_CLASSES
from workbench.synthetic.scanners import SCANNERS, Scanner
from workbench.synthetic.stains import STAININGS, Staining
from workbench.synthetic.truth import Truth, load_truth
from workbench.synthetic.writer import write_pyramid, write_real_sample, write_slide

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
