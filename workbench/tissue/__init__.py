"""Where on a slide there is tissue: not glass, ink, dust or the scanner's edge."""

from workbench.tissue.choice import TissueChoice
from workbench.tissue.finding import find_tissue
from workbench.tissue.mask import artefact_mask, tissue_mask
from workbench.tissue.raster import Tissue

__all__ = ["Tissue", "TissueChoice", "artefact_mask", "find_tissue", "tissue_mask"]
