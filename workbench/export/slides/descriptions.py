"""Texts that describe a converted slide in its file: OME-XML, and Aperio's line."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from workbench.provenance.places import NAMESPACE

if TYPE_CHECKING:
    from workbench.export.slides.plan import ConversionPlan

_OME: Final = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_SCHEMA: Final = f"{_OME} {_OME}/ome.xsd"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_NAMESPACE: Final = "slide-workbench/conversion"


def ome_xml(
    plan: ConversionPlan, name: str, facts: dict[str, Any], made: str = ""
) -> str:
    """Return the OME-XML of one RGB image, with how it was made as annotations.

    Parameters
    ----------
    plan : ConversionPlan
    name : str
        Name of the image.
    facts : dict
        How it was made, in few words.
    made : str
        Text of its provenance; empty: none.
    """
    key = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(facts, sort_keys=True))
    root = ET.Element(
        "OME",
        {
            "xmlns": _OME,
            "xmlns:xsi": _XSI,
            "xsi:schemaLocation": _SCHEMA,
            "Creator": "Slide Workbench",
            "UUID": f"urn:uuid:{key}",
        },
    )
    if plan.objective:
        instrument = ET.SubElement(root, "Instrument", ID="Instrument:0")
        power = f"{plan.objective:g}"
        ET.SubElement(
            instrument, "Objective", ID="Objective:0", NominalMagnification=power
        )
    image = ET.SubElement(root, "Image", ID="Image:0", Name=name)
    if plan.objective:
        ET.SubElement(image, "InstrumentRef", ID="Instrument:0")
        ET.SubElement(image, "ObjectiveSettings", ID="Objective:0")
    pixels = ET.SubElement(image, "Pixels", _pixels(plan))
    ET.SubElement(pixels, "Channel", ID="Channel:0:0", SamplesPerPixel="3")
    ET.SubElement(pixels, "TiffData", IFD="0", PlaneCount="1")
    texts = {_NAMESPACE: json.dumps(facts, sort_keys=True)}
    if made:
        texts[NAMESPACE] = made
    for number in range(len(texts)):
        ET.SubElement(image, "AnnotationRef", ID=f"Annotation:{number}")
    notes = ET.SubElement(root, "StructuredAnnotations")
    for number, (space, text) in enumerate(texts.items()):
        place = {"ID": f"Annotation:{number}", "Namespace": space}
        note = ET.SubElement(notes, "CommentAnnotation", place)
        ET.SubElement(note, "Value").text = text
    return ET.tostring(root, "unicode", xml_declaration=True)


def _pixels(plan: ConversionPlan) -> dict[str, str]:
    width, height = plan.sizes[0]
    values = {
        "ID": "Pixels:0",
        "DimensionOrder": "XYCZT",
        "Type": "uint8",
        "Interleaved": "true",
        "SizeX": str(width),
        "SizeY": str(height),
        "SizeC": "3",
        "SizeZ": "1",
        "SizeT": "1",
    }
    if plan.mpp:
        values |= {f"PhysicalSize{axis}": repr(plan.mpp) for axis in "XY"}
        values |= {f"PhysicalSize{axis}Unit": "µm" for axis in "XY"}
    return values


def aperio_line(plan: ConversionPlan, quality: int, facts: dict[str, Any]) -> str:
    """Return a description in the form of Aperio, from which programs read the mpp."""
    width, height = plan.sizes[0]
    side = plan.tile_px
    text = (
        "Aperio Image Library (written by Slide Workbench)\r\n"
        f"{width}x{height} [0,0 {width}x{height}] ({side}x{side}) JPEG/RGB Q={quality}"
    )
    values: dict[str, Any] = {}
    if plan.objective:
        values["AppMag"] = f"{plan.objective:g}"
    if plan.mpp:
        values["MPP"] = f"{plan.mpp:.6g}"
    values |= {f"Workbench {name}": value for name, value in facts.items()}
    plain = [f"{name} = {_plain(value)}" for name, value in values.items()]
    return "|".join([text, *plain])


def aperio_thumbnail_line(plan: ConversionPlan, width: int, height: int) -> str:
    """Return the description of the thumbnail in the form of Aperio."""
    size = "{}x{}".format(*plan.sizes[0])
    return (
        "Aperio Image Library (written by Slide Workbench)\r\n"
        f"{size} -> {width}x{height} - |AppMag = {plan.objective or 0:g}"
    )


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.replace("|", "/").replace("\r", " ").replace("\n", " ")
