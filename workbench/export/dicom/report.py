"""Counts and regions as structured reports: Comprehensive 3D SR, TID 1500."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import highdicom as hd
import numpy as np
import shapely
from pydicom.sr.codedict import codes

from workbench.area import Area
from workbench.dicom.identifiers import MANUFACTURER, MODEL_NAME, derived_uid
from workbench.export.dicom.codes import (
    concept,
    measure_of,
    private_code,
    property_of,
)
from workbench.export.dicom.objects import Origin
from workbench.geometry import Box
from workbench.instances.counts import count

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from workbench.annotations.annotation import Annotation
    from workbench.results.run import Run

_MM2_PER_UM2: Final = 1e-6
_ALL: Final = "all"
_SLIDE: Final = "slide"
_IMAGE_LIBRARY: Final = ("111028", "DCM", "Image Library")


def write_run_report(run: Run, path: Path, *, source: Path | None = None) -> None:
    """Write what a run has found, by class, and the outline of its region.

    Of instances: number, density with its 95 % interval, and searched area. Of other
    tasks: area in which a class is the most probable, and its share of the area that
    has values; or mean and largest value of a measurement.

    Raises
    ------
    RunError
        If instances are not final, or the DICOM slide to refer to cannot be used.
    """
    origin = Origin.of_run(run, source)
    whose = (origin.whose, "sr")
    groups = []
    for name, found in _found(run).items():
        category, kind = property_of(name)
        identifier = hd.sr.TrackingIdentifier(
            uid=derived_uid(*whose, "class", name), identifier=name[:64]
        )
        groups.append(
            hd.sr.MeasurementsAndQualitativeEvaluations(
                tracking_identifier=identifier,
                finding_type=kind,
                finding_category=category,
                algorithm_id=_algorithm(origin),
                measurements=[_measurement(key, value) for key, value in found],
            )
        )
    if run.region is not None:
        shape = (
            run.region.shape
            if isinstance(run.region, Area)
            else shapely.box(*_edges(run.region))
        )
        groups += _regions(origin, shape, "region", "region", [])
    _save(origin, groups, path)


def write_annotation_report(
    annotations: Sequence[Annotation], origin: Origin, path: Path
) -> None:
    """Write points, lines and areas with their measures, in mm on the glass.

    An area of several parts is several regions of one identifier; a hole is left out
    of the outline, and counts in the measured area.
    """
    across, _ = origin.source.cell_spacing(1.0)
    groups = []
    for each in annotations:
        unit = 1000 * across
        area = each.geometry.area * unit**2
        measures = {
            "area": [("area_um2", area), ("perimeter_um", each.geometry.length * unit)],
            "line": [("length_um", each.geometry.length * unit)],
            "point": [],
        }[each.kind]
        named = each.classification or each.name or each.kind
        groups += _regions(origin, each.geometry, each.id, named, measures)
    _save(origin, groups, path)


def _found(run: Run) -> dict[str, list[tuple[str, float]]]:
    """Return names and values of what was found of each class."""
    if run.card.task == "instances":
        return _counted(run)
    heatmap, mpp = run.heatmap, run.record["slide"]["mpp"]
    values = heatmap.values
    known = np.isfinite(values).all(axis=0)
    cell_mm2 = (heatmap.cell * mpp) ** 2 * _MM2_PER_UM2
    found: dict[str, list[tuple[str, float]]] = {}
    winner = np.nan_to_num(values).argmax(axis=0)
    for number, name in enumerate(heatmap.classes):
        if run.card.task == "measurement" or len(heatmap.classes) == 1:
            own = values[number][known]
            pairs = [("mean", own.mean()), ("maximum", own.max())] if len(own) else []
            found[name] = [*pairs, ("area_mm2", known.sum() * cell_mm2)]
            continue
        cells = int((known & (winner == number)).sum())
        share = 100 * cells / max(1, int(known.sum()))
        found[name] = [("area_mm2", cells * cell_mm2), ("share_%", share)]
    return found


def _counted(run: Run) -> dict[str, list[tuple[str, float]]]:
    store = run.final_instances
    width, height = run.grid.slide_size
    table = count(
        store, {_SLIDE: Box(0, 0, width, height)}, mpp=run.record["slide"]["mpp"]
    )
    found = {}
    for _, row in table.iterrows():
        if row["class"] == _ALL and len(store.classes) == 1:
            continue
        found[str(row["class"])] = [
            ("count", float(row["count"])),
            ("density_1/mm2", row["per_mm2"]),
            ("density, lower limit_1/mm2", row["per_mm2_low"]),
            ("density, upper limit_1/mm2", row["per_mm2_high"]),
            ("area_mm2", row["area_mm2"]),
        ]
    return found


def _regions(
    origin: Origin,
    geometry: BaseGeometry,
    key: str,
    name: str,
    measures: Sequence[tuple[str, float]],
) -> list[Any]:
    """Return a group of TID 1410 for each part of a geometry."""
    category, kind = property_of(name)
    groups = []
    for part in shapely.get_parts(geometry):
        graphic, points = _graphic(part)
        region = hd.sr.ImageRegion3D(
            graphic_type=graphic,
            graphic_data=origin.source.to_mm(points),
            frame_of_reference_uid=origin.source.header.FrameOfReferenceUID,
        )
        identifier = hd.sr.TrackingIdentifier(
            uid=derived_uid(origin.whose, "region", key), identifier=name[:64]
        )
        groups.append(
            hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
                tracking_identifier=identifier,
                referenced_region=region,
                finding_type=kind,
                finding_category=category,
                measurements=[_measurement(*each) for each in measures],
            )
        )
    return groups


def _graphic(part: BaseGeometry) -> tuple[str, NDArray[np.float64]]:
    """Return DICOM's type and the points of a simple geometry."""
    if part.geom_type == "Polygon":
        return "POLYGON", np.asarray(part.exterior.coords)[:, :2]
    points = np.asarray(part.coords)[:, :2]
    return ("POINT" if len(points) == 1 else "POLYLINE"), points


def _measurement(name: str, value: float) -> hd.sr.Measurement:
    code, unit = measure_of(name)
    if math.isnan(value):
        value, unit = 0.0, concept("1", "UCUM", "no units")
        code = private_code(f"{name}, not known")
    return hd.sr.Measurement(name=code, value=float(value), unit=unit)


def _algorithm(origin: Origin) -> hd.sr.AlgorithmIdentification:
    return hd.sr.AlgorithmIdentification(
        name=origin.algorithm[:64], version=origin.version
    )


def _save(origin: Origin, groups: list[Any], path: Path) -> None:
    """Write the document of some groups."""
    header = origin.source.header
    device = hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=derived_uid("device"),
            name=MODEL_NAME,
            manufacturer_name=MANUFACTURER,
        ),
    )
    subject = hd.sr.SubjectContext(
        subject_class=codes.DCM.Specimen,
        subject_class_specific_context=_specimen(origin),
    )
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(
            observer_device_context=device, subject_context=subject
        ),
        procedure_reported=codes.DCM.WholeSlideImaging,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=[header],
    )
    made = hd.sr.Comprehensive3DSR(
        evidence=[header],
        content=report[0],
        is_complete=True,
        **origin.identity("sr"),
    )
    origin.dated(made).save_as(path)


def _specimen(origin: Origin) -> hd.sr.SubjectContextSpecimen:
    header = origin.source.header
    described = header.get("SpecimenDescriptionSequence") or [None]
    uid = getattr(described[0], "SpecimenUID", "") or derived_uid(
        header.SOPInstanceUID, "specimen"
    )
    return hd.sr.SubjectContextSpecimen(
        uid=uid,
        identifier=str(getattr(described[0], "SpecimenIdentifier", "") or "specimen"),
        container_identifier=str(header.get("ContainerIdentifier", "") or "slide"),
    )


def _edges(box: Box) -> tuple[int, int, int, int]:
    return box.x0, box.y0, box.x1, box.y1
