from .adviser import Advice, SlideStains, advise
from .deconvolution import StainSet, find_stains, fit_stains
from .detection import Staining, slide_staining
from .fit_quality import FitQuality, assess_fit
from .multi_reference import MultiReferenceNormalizer
from .normalizer import Normalizer, fit_normalizer
from .optical_density import ColourHistogram, concentrations, optical_density
from .per_image import normalize_images
from .quantify import Question, h_score, quantify, quantify_pixels
from .reference_preview import render_reference
from .references import Reference, load_reference, reference_within
from .self_check import check_consistency
from .single_stain import SingleStain
from .tissue_sample import TissueSample, sample_tiles, sample_tissue

__all__ = [
    "Advice",
    "ColourHistogram",
    "FitQuality",
    "MultiReferenceNormalizer",
    "Normalizer",
    "Question",
    "Reference",
    "SingleStain",
    "SlideStains",
    "StainSet",
    "Staining",
    "TissueSample",
    "advise",
    "assess_fit",
    "check_consistency",
    "concentrations",
    "find_stains",
    "fit_normalizer",
    "fit_stains",
    "h_score",
    "load_reference",
    "normalize_images",
    "optical_density",
    "quantify",
    "quantify_pixels",
    "reference_within",
    "render_reference",
    "sample_tiles",
    "sample_tissue",
    "slide_staining",
]
