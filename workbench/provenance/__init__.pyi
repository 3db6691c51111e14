from .dicom_tag import tag_dataset
from .embedding import attach, keep_inside, write_in_folder
from .pixels import provenance_of_pixels
from .provenance import KEY, Provenance
from .reading import read_provenance
from .runs import provenance_of
from .sidecar import SUFFIX, write_sidecar
from .software import versions

__all__ = [
    "KEY",
    "SUFFIX",
    "Provenance",
    "attach",
    "keep_inside",
    "provenance_of",
    "provenance_of_pixels",
    "read_provenance",
    "tag_dataset",
    "versions",
    "write_in_folder",
    "write_sidecar",
]
