"""DICOM whole-slide images that the tests write themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

if TYPE_CHECKING:
    from pathlib import Path

JPEG = UID("1.2.840.10008.1.2.4.50")
_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"


def write_instance(path: Path, pixels, *, tile=64, mpp=(0.5, 0.5), jpeg=False, uid="1"):
    """Write one level, uint8 (H, W, 3), as a TILED_FULL instance; mpp along x and y."""
    height, width, _ = pixels.shape
    down, across = -(-height // tile), -(-width // tile)
    whole = np.full((down * tile, across * tile, 3), 255, np.uint8)
    whole[:height, :width] = pixels
    frames = whole.reshape(down, tile, across, tile, 3).swapaxes(1, 2)
    frames = frames.reshape(-1, tile, tile, 3)
    data = _described(width, height, tile, mpp, uid)
    data.NumberOfFrames = len(frames)
    meta = data.file_meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = data.SOPClassUID
    meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    meta.TransferSyntaxUID = JPEG if jpeg else ExplicitVRLittleEndian
    if jpeg:
        data.PhotometricInterpretation = "YBR_FULL_422"
        data.PixelData = encapsulate([_jpeg(frame) for frame in frames])
        data["PixelData"].is_undefined_length = True
    else:
        data.PixelData = frames.tobytes()
    data["PixelData"].VR = "OB"
    data.save_as(path, enforce_file_format=True)
    return path


def _jpeg(frame) -> bytes:
    import imagecodecs  # noqa: PLC0415

    how = {"colorspace": "RGB", "outcolorspace": "YCBCR", "subsampling": "422"}
    encoded = imagecodecs.jpeg8_encode(np.ascontiguousarray(frame), level=90, **how)
    return encoded + b"\0" * (len(encoded) % 2)


def _described(width, height, tile, mpp, uid) -> Dataset:
    data = Dataset()
    data.SOPClassUID = _WHOLE_SLIDE
    data.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.1.{uid}"
    data.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.2"
    data.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.3"
    data.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.4"
    data.Modality = "SM"
    data.SeriesNumber = data.InstanceNumber = 1
    data.ContainerIdentifier = "slide"
    data.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    data.SamplesPerPixel, data.PlanarConfiguration = 3, 0
    data.PhotometricInterpretation = "RGB"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.Rows = data.Columns = tile
    data.TotalPixelMatrixColumns, data.TotalPixelMatrixRows = width, height
    data.TotalPixelMatrixFocalPlanes = data.NumberOfOpticalPaths = 1
    data.DimensionOrganizationType = "TILED_FULL"
    data.VolumetricProperties, data.FocusMethod = "VOLUME", "AUTO"
    data.ExtendedDepthOfField = data.SpecimenLabelInImage = "NO"
    data.BurnedInAnnotation, data.LossyImageCompression = "NO", "00"
    data.ImagedVolumeWidth = width * mpp[0] / 1000
    data.ImagedVolumeHeight = height * mpp[1] / 1000
    data.ImagedVolumeDepth = 0.001
    data.ImageOrientationSlide = [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]
    origin = Dataset()
    origin.XOffsetInSlideCoordinateSystem = origin.YOffsetInSlideCoordinateSystem = 0.0
    data.TotalPixelMatrixOriginSequence = Sequence([origin])
    path = Dataset()
    path.OpticalPathIdentifier = "0"
    path.IlluminationColorCodeSequence = Sequence([_code("414298005", "Full Spectrum")])
    path.IlluminationTypeCodeSequence = Sequence([_code("111744", "Brightfield")])
    data.OpticalPathSequence = Sequence([path])
    measures, kind, groups = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [mpp[1] / 1000, mpp[0] / 1000]
    measures.SliceThickness = 0.001
    kind.FrameType = data.ImageType
    groups.PixelMeasuresSequence = Sequence([measures])
    groups.WholeSlideMicroscopyImageFrameTypeSequence = Sequence([kind])
    data.SharedFunctionalGroupsSequence = Sequence([groups])
    return data


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodeMeaning = value, meaning
    code.CodingSchemeDesignator = "SCT"
    return code
