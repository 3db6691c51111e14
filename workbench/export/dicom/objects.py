"""What all DICOM objects of results have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self

import highdicom as hd
from highdicom.color import CIELabColor
from pydicom.sr.codedict import codes

from workbench import __version__
from workbench.dicom.facts import SlideFacts
from workbench.dicom.identifiers import MANUFACTURER, MODEL_NAME, derived_uid
from workbench.dicom.slide_header import UNKNOWN_TIME
from workbench.dicom.source import SourceImage, dicom_path
from workbench.errors import RunError
from workbench.export.file_frame import stored_frame
from workbench.provenance.dicom_tag import tag_dataset
from workbench.provenance.runs import provenance_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pydicom.dataset import Dataset

    from workbench.provenance.provenance import Provenance
    from workbench.results.run import Run

_SERIES: Final = {"seg": 101, "pm": 102, "classmap": 103, "ann": 104, "sr": 105}
"""Number of the series of each kind of object, after those of slides."""

_MAX_LONG: Final = 64
_MAX_SHORT: Final = 16


@dataclass(frozen=True, slots=True)
class Origin:
    """The slide and the work from which objects are derived."""

    source: SourceImage
    whose: str
    """Text that is equal for equal work, such as the time at which a run began."""

    algorithm: str = ""
    """Name of the model; empty: drawn by hand."""

    version: str = ""
    created: str = ""
    """Time of the work, ISO 8601; empty: not known."""

    parameters: tuple[tuple[str, str], ...] = ()
    """Names and values of what the result depends on."""

    made: Provenance | None = None
    """What made the result; None: not known."""

    @classmethod
    def of_run(cls, run: Run, given: Path | None = None) -> Self:
        """Return the origin of the results of a run.

        Raises
        ------
        RunError
            If the DICOM slide to refer to cannot be used.
        """
        record, card = run.record, run.card
        # Objects of one UID are the same bytes, so they hold no time of their writing.
        created = str(record.get("created", ""))
        facts = {
            "slide": str(record["slide"]["id"]),
            "normalize": str(run.recipe.normalize or "none"),
            "weights": card.sha256 or "none",
        }
        return cls(
            source=source_of_run(run, given),
            whose=f"{record['slide']['id']} {created} {card.name}",
            algorithm=card.name,
            version=(card.sha256 or __version__)[:_MAX_SHORT],
            created=created,
            parameters=tuple(facts.items()),
            made=provenance_of(run).derive("export", written=created),
        )

    @property
    def time(self) -> datetime:
        """Time of the work; 1 January 1900 if it is not known."""
        try:
            return datetime.fromisoformat(self.created)
        except ValueError:
            return datetime.strptime(UNKNOWN_TIME, "%Y%m%d%H%M%S")  # noqa: DTZ007 - none

    def identity(self, kind: str, number: int = 1, *parts: object) -> dict[str, Any]:
        """Return the arguments of highdicom that identify an object.

        Parameters
        ----------
        kind : str
            Key of `_SERIES`.
        number : int
            Number of the object in its series.
        *parts : object
            What tells the object from others of its kind.
        """
        image = self.source.header.SOPInstanceUID
        own = (image, self.whose, kind)
        return {
            "series_instance_uid": derived_uid(*own, "series"),
            "series_number": _SERIES[kind],
            "sop_instance_uid": derived_uid(*own, "instance", number, *parts),
            "instance_number": number,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": MODEL_NAME,
            "software_versions": __version__,
            "device_serial_number": __version__,
            "content_date": self.time.date(),
            "content_time": self.time.time(),
            "series_description": self.algorithm[:_MAX_LONG] or "annotations",
        }

    def algorithm_identification(self) -> hd.AlgorithmIdentificationSequence:
        """Return name and version of the model as DICOM states them."""
        return hd.AlgorithmIdentificationSequence(
            name=self.algorithm[:_MAX_LONG],
            family=codes.DCM.ArtificialIntelligence,
            version=self.version,
            source=MANUFACTURER,
            parameters=dict(self.parameters),
        )

    def dated(self, made: Dataset) -> Dataset:
        """Set the time of creation to that of the work, so that equal work is equal.

        Results in the frame of the glass have no orientation of a patient, which is
        required to be empty then.
        """
        if "Rows" in made:
            made.PatientOrientation = None
        for item in made.get("ContributingEquipmentSequence", ()):
            item.ContributionDateTime = f"{self.time:%Y%m%d%H%M%S}"
        dimensions = derived_uid(made.SOPInstanceUID, "dimensions")
        for name in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
            for item in made.get(name, ()):
                item.DimensionOrganizationUID = dimensions
        if self.made is not None:
            tag_dataset(made, self.made)
        made.InstanceCreationDate = f"{self.time:%Y%m%d}"
        made.InstanceCreationTime = f"{self.time:%H%M%S}"
        return made


def source_of_run(run: Run, given: Path | None = None) -> SourceImage:
    """Return the DICOM slide that results of a run refer to.

    It is the given one; else the slide of the run if that is DICOM; else the one that
    converting the slide gives, with the same identifiers.

    Raises
    ------
    RunError
        If the DICOM slide cannot be read, or has another size than that of the run.
    """
    slide, size = run.record["slide"], run.grid.slide_size
    path = given or dicom_path(slide.get("path", ""))
    if path is not None:
        return SourceImage.of_file(path, size, stored_frame(run))
    if str(slide.get("reader", "")).startswith("wsidicom"):
        message = f"The DICOM slide of '{run.path}' is not at '{slide.get('path')}'."
        raise RunError(message, "Give the DICOM slide: --source FOLDER, or source=.")
    facts = SlideFacts(id=slide["id"], size=size, mpp=slide["mpp"])
    return SourceImage.of_facts(facts)


def lab_colour(colour: Sequence[int]) -> CIELabColor:
    """Return an sRGB colour as CIELab."""
    red, green, blue = (int(part) for part in colour)
    return CIELabColor.from_rgb(red, green, blue)
