"""Made slides with known truth: believable H&E, deterministic from a seed."""

from workbench.synthetic.layout import CLASSES
from workbench.synthetic.nuclei import NUCLEUS_CLASSES
from workbench.synthetic.scanners import SCANNERS, Scanner
from workbench.synthetic.truth import Truth, load_truth
from workbench.synthetic.writer import write_pyramid, write_real_sample, write_slide

__all__ = [
    "CLASSES",
    "NUCLEUS_CLASSES",
    "SCANNERS",
    "Scanner",
    "Truth",
    "load_truth",
    "write_pyramid",
    "write_real_sample",
    "write_slide",
]
