"""Headers of VL Whole Slide Microscopy images of slides that are not DICOM."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

from PIL import ImageCms
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import VLWholeSlideMicroscopyImageStorage

from workbench import __version__
from workbench.dicom.identifiers import MANUFACTURER, MODEL_NAME, derived_uid

if TYPE_CHECKING:
    from workbench.dicom.facts import FrameLayout, SlideFacts

ORIENTATION: Final = (0.0, 1.0, 0.0, 1.0, 0.0, 0.0)
"""Direction of rows and columns in the frame of the glass: x of the image runs along
Y of the glass, y along X, as seen through the coverslip."""

SLICE_MM: Final = 0.004
"""Thickness of a section in mm, where DICOM requires one: 4 µm is common."""

UNKNOWN_TIME: Final = "19000101000000"
"""Time of acquisition where the slide states none: DICOM requires one."""

_TIMES: Final = (
    ("%m/%d/%y %H:%M:%S", ("aperio.Date", "aperio.Time")),
    ("%m/%d/%Y %H:%M:%S", ("aperio.Date", "aperio.Time")),
    ("%Y:%m:%d %H:%M:%S", ("tiff.DateTime",)),
)
"""Formats of times in the properties of slides, and the names of those properties."""

_MAX_TEXT: Final = 64


def level_header(
    facts: SlideFacts, layout: FrameLayout, *, ratio: float = 1.0
) -> Dataset:
    """Return the attributes of one level, without pixels.

    Parameters
    ----------
    facts : SlideFacts
    layout : FrameLayout
    ratio : float
        Bytes of the pixels divided by the bytes of the frames.
    """
    header = Dataset()
    _describe_slide(header, facts)
    _describe_matrix(header, facts, layout)
    _describe_frames(header, layout, ratio)
    header.OpticalPathSequence = [_optical_path(facts)]
    return header


def _describe_slide(header: Dataset, facts: SlideFacts) -> None:
    """Set patient (not known), study, series, equipment and specimen."""
    for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"):
        setattr(header, name, "")
    for name in ("ReferringPhysicianName", "AccessionNumber", "StudyID"):
        setattr(header, name, "")
    acquired = _acquisition_time(facts)
    known = acquired != UNKNOWN_TIME
    header.StudyDate = acquired[:8] if known else ""
    header.StudyTime = acquired[8:] if known else ""
    header.AcquisitionDateTime = acquired
    header.ContentDate, header.ContentTime = acquired[:8], acquired[8:]
    header.StudyInstanceUID = derived_uid(facts.id, "study")
    header.FrameOfReferenceUID = derived_uid(facts.id, "frame of reference")
    header.SeriesInstanceUID = facts.uid("series")
    header.PyramidUID = facts.uid("pyramid")
    header.Modality = "SM"
    header.SeriesNumber = 1
    header.PositionReferenceIndicator = "SLIDE_CORNER"
    header.SpecificCharacterSet = "ISO_IR 192"
    header.Manufacturer = MANUFACTURER
    header.ManufacturerModelName = MODEL_NAME
    header.DeviceSerialNumber = __version__
    header.SoftwareVersions = __version__
    header.AcquisitionContextSequence = DicomSequence()
    container = facts.id[:_MAX_TEXT]
    header.ContainerIdentifier = container
    header.IssuerOfTheContainerIdentifierSequence = DicomSequence()
    header.ContainerTypeCodeSequence = [code("433466003", "SCT", "Microscope slide")]
    specimen = Dataset()
    specimen.SpecimenIdentifier = container
    specimen.SpecimenUID = derived_uid(facts.id, "specimen")
    specimen.IssuerOfTheSpecimenIdentifierSequence = DicomSequence()
    specimen.SpecimenPreparationSequence = DicomSequence()
    header.SpecimenDescriptionSequence = [specimen]
    if facts.processing:
        header.DerivationDescription = facts.processing
        header.ContributingEquipmentSequence = [_processing_equipment(facts)]


def _processing_equipment(facts: SlideFacts) -> Dataset:
    equipment = Dataset()
    purpose = code("109102", "DCM", "Processing Equipment")
    equipment.PurposeOfReferenceCodeSequence = [purpose]
    equipment.Manufacturer = MANUFACTURER
    equipment.ManufacturerModelName = MODEL_NAME
    equipment.SoftwareVersions = __version__
    equipment.ContributionDescription = facts.processing
    return equipment


def _describe_matrix(header: Dataset, facts: SlideFacts, layout: FrameLayout) -> None:
    """Set size, place and resolution of the level."""
    width, height = layout.size
    spacing = level_spacing(facts, layout.size)
    header.SOPClassUID = VLWholeSlideMicroscopyImageStorage
    header.SOPInstanceUID = facts.uid("instance", width, height)
    header.TotalPixelMatrixColumns, header.TotalPixelMatrixRows = width, height
    header.ImagedVolumeWidth = facts.size[0] * facts.mpp / 1000
    header.ImagedVolumeHeight = facts.size[1] * facts.mpp / 1000
    header.ImagedVolumeDepth = SLICE_MM * 1000
    header.ImageOrientationSlide = list(ORIENTATION)
    origin = Dataset()
    # That of level 0 for all levels, as scanners write it and readers compare it.
    origin.XOffsetInSlideCoordinateSystem = 0.0
    origin.YOffsetInSlideCoordinateSystem = 0.0
    header.TotalPixelMatrixOriginSequence = [origin]
    header.TotalPixelMatrixFocalPlanes = 1
    organization = Dataset()
    organization.DimensionOrganizationUID = derived_uid(facts.id, "dimensions")
    header.DimensionOrganizationSequence = [organization]
    header.DimensionOrganizationType = "TILED_FULL"
    measures, groups, kind = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [decimal(spacing[1]), decimal(spacing[0])]
    measures.SliceThickness = SLICE_MM
    groups.PixelMeasuresSequence = [measures]
    # Of pixels that were changed, level 0 is derived too.
    header.ImageType = [
        "DERIVED" if facts.processing else "ORIGINAL",
        "PRIMARY",
        "VOLUME",
        "NONE" if layout.size == facts.size else "RESAMPLED",
    ]
    kind.FrameType = header.ImageType
    groups.WholeSlideMicroscopyImageFrameTypeSequence = [kind]
    path = Dataset()
    path.OpticalPathIdentifier = "0"
    groups.OpticalPathIdentificationSequence = [path]
    header.SharedFunctionalGroupsSequence = [groups]
    header.InstanceNumber = max(1, round(facts.size[0] / width))


def _describe_frames(header: Dataset, layout: FrameLayout, ratio: float) -> None:
    across, down = layout.tiles
    header.NumberOfFrames = across * down
    header.Columns, header.Rows = layout.tile
    header.SamplesPerPixel, header.PlanarConfiguration = 3, 0
    header.PhotometricInterpretation = layout.photometric
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation = 7, 0
    header.VolumetricProperties, header.FocusMethod = "VOLUME", "AUTO"
    header.ExtendedDepthOfField = header.SpecimenLabelInImage = "NO"
    header.BurnedInAnnotation = "NO"
    header.LossyImageCompression = "01"
    header.LossyImageCompressionMethod = "ISO_10918_1"
    # Of fixed length: it is written over once all frames are there.
    header.LossyImageCompressionRatio = f"{min(ratio, 99999.0):08.2f}"
    header.NumberOfOpticalPaths = 1


def level_spacing(facts: SlideFacts, size: tuple[int, int]) -> tuple[float, float]:
    """Return the width and height of a pixel of a level, in mm."""
    across, down = (
        full * facts.mpp / side / 1000
        for full, side in zip(facts.size, size, strict=True)
    )
    return across, down


def decimal(value: float) -> str:
    """Return a number as DICOM's decimal string, which has at most 16 characters."""
    return next(
        text
        for digits in range(15, 0, -1)
        if len(text := f"{value:.{digits}g}") <= 16  # noqa: PLR2004
    )


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Return an item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = value, scheme
    item.CodeMeaning = meaning[:_MAX_TEXT]
    return item


def _optical_path(facts: SlideFacts) -> Dataset:
    path = Dataset()
    path.OpticalPathIdentifier = "0"
    full, bright = "Full Spectrum", "Brightfield illumination"
    path.IlluminationColorCodeSequence = [code("414298005", "SCT", full)]
    path.IlluminationTypeCodeSequence = [code("111744", "DCM", bright)]
    path.ICCProfile = facts.icc_profile or srgb_profile()
    if facts.icc_profile is None:
        path.ColorSpace = "SRGB"
    return path


def srgb_profile() -> bytes:
    """Return an sRGB profile of the class of input devices, as DICOM requires.

    Its date is fixed, so that equal slides have equal headers.
    """
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = bytearray(made)
    profile[12:16] = b"scnr"
    profile[24:36] = bytes(
        n for value in (2000, 1, 1, 0, 0, 0) for n in divmod(value, 256)
    )
    profile[84:100] = bytes(16)  # digest of the profile: not computed
    return bytes(profile) + b"\0" * (len(profile) % 2)


def _acquisition_time(facts: SlideFacts) -> str:
    """Return the time of the scan, "YYYYMMDDHHMMSS", else `UNKNOWN_TIME`."""
    known = facts.properties or {}
    for pattern, names in _TIMES:
        text = " ".join(known.get(name, "") for name in names)
        try:
            time = datetime.strptime(re.sub(r"\s+", " ", text.strip()), pattern)  # noqa: DTZ007 - the zone is not stored
        except ValueError:
            continue
        return time.strftime("%Y%m%d%H%M%S")
    return UNKNOWN_TIME
