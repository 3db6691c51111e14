from .choice import TissueChoice
from .detection import find_tissue
from .mask import artefact_mask, tissue_mask
from .raster import Tissue

__all__ = [
    "Tissue",
    "TissueChoice",
    "artefact_mask",
    "find_tissue",
    "tissue_mask",
]
