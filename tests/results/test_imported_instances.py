"""Outlines of other programs become runs that are drawn, counted and exported."""

from __future__ import annotations

import highdicom as hd
import numpy as np
import pytest
import shapely
from click.testing import CliRunner
from pydicom.sr.codedict import codes

import workbench as wb
from dicom_results import instance_run
from made_slides import jpeg_ycbcr, tissue_like, write_tiff
from workbench.app.catalog.runs import RunLibrary
from workbench.cli import main
from workbench.dicom.source import SourceImage
from workbench.errors import ProvenanceError, RunError
from workbench.export.dicom.instances import write_bulk_annotations
from workbench.layers import InstanceLayer, SlideLayer
from workbench.results import import_instances


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    with wb.open_slide(jpeg_ycbcr(tmp_path_factory.mktemp("slide"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def made(slide, tmp_path_factory):
    """Return made instances and the DICOM file of them."""
    folder = tmp_path_factory.mktemp("made")
    run = instance_run(slide, folder, 400)
    write_bulk_annotations(run, folder / "a.ann.dcm")
    return run.final_instances, folder / "a.ann.dcm"


def rows(store):
    """Return class, score, area and outline of all instances, in a fixed order."""
    found = store.take(np.arange(len(store)))
    names = np.array(store.classes)[found.classes]
    outlines = shapely.normalize(found.polygons)
    keys = np.column_stack([shapely.get_coordinates(shapely.centroid(outlines))])
    order = np.lexsort(keys.T)
    return names[order], found.scores[order], outlines[order], found.measures, order


def test_what_was_written_is_read_as_a_run(slide, made, tmp_path):
    store, file = made
    run = import_instances(file, slide, tmp_path / "run", name="theirs")
    names, scores, outlines, measures, order = rows(run.final_instances)
    first = rows(store)
    assert (names == first[0]).all()
    assert np.allclose(scores, first[1], atol=1e-6)
    assert shapely.equals_exact(outlines, first[2], 0.13).all()
    for name in store.measures:
        assert np.allclose(measures[name][order], first[3][name][first[4]], atol=1e-4)
    assert run.card.name == "theirs"
    assert run.record["objects"]["count"] == len(store)
    table = wb.instances.count(run.final_instances, {"all": slide.box})
    assert table["count"].max() == len(store)
    mm2 = (run.heatmap.cell * slide.mpp / 1000) ** 2
    assert np.nansum(run.heatmap.values) * mm2 == pytest.approx(len(store))
    layer = InstanceLayer(run.final_instances, SlideLayer(slide).pyramid)
    drawn = wb.snapshot(slide, [layer], (0, 0, 300, 300), width=300)
    assert (drawn != slide.read((0, 0, 300, 300)).pixels).any()
    (listed,) = RunLibrary(tmp_path).saved(slide)  # as the app lists it
    assert listed.run.path == run.path
    assert wb.write_report(run, tmp_path / "report.html").stat().st_size > 100_000
    out = wb.export_run(run, tmp_path / "a.geojson")
    assert wb.read_provenance(out).run["imported"]["name"] == "a.ann.dcm"
    with pytest.raises(ProvenanceError, match=r"imported from 'a\.ann\.dcm'"):
        wb.replay(run)


def bulk(slide, kind, data, path, measures=()):
    """Write annotations of one group as another program may."""
    group = hd.ann.AnnotationGroup(
        number=1,
        uid=hd.UID(),
        label="vessel",
        annotated_property_category=codes.SCT.AnatomicalStructure,
        annotated_property_type=codes.SCT.BloodVessel,
        graphic_type=kind,
        graphic_data=data,
        algorithm_type="MANUAL",
        measurements=measures,
    )
    hd.ann.MicroscopyBulkSimpleAnnotations(
        [SourceImage.of_slide(slide).header],
        "2D",
        [group],
        series_instance_uid=hd.UID(),
        series_number=1,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="another",
        manufacturer_model_name="program",
        software_versions="1",
        device_serial_number="1",
    ).save_as(path)
    return path


def test_ellipses_and_rectangles_are_outlines(slide, tmp_path):
    axes = np.array([[10, 20], [30, 20], [20, 15], [20, 25]], np.float32)
    values = hd.ann.Measurements(
        codes.SCT.Area, np.array([7.0, np.nan], np.float32), codes.UCUM.SquareMicrometer
    )
    path = tmp_path / "a.ann.dcm"
    bulk(slide, "ELLIPSE", [axes, axes + 40], path, [values])
    run = import_instances(path, slide, tmp_path / "run")
    found = run.final_instances.take([0, 1])
    assert shapely.area(found.polygons) == pytest.approx(np.pi * 10 * 5, rel=0.02)
    assert found.measures["area_um2"][0] == 7
    assert np.isnan(found.measures["area_um2"][1])
    corners = np.array([[5, 5], [25, 5], [25, 15], [5, 15]], np.float32)
    bulk(slide, "RECTANGLE", [corners], path)
    run = import_instances(path, slide, tmp_path / "other")
    (box,) = run.final_instances.take([0]).polygons
    assert box.area == 200
    assert run.final_instances.classes == ("vessel",)


def test_what_holds_no_outlines_is_refused(slide, tmp_path, made):
    path = tmp_path / "a.ann.dcm"
    bulk(slide, "POINT", [np.array([[1, 2]], np.float32)], path)
    with pytest.raises(RunError, match="of the kind POINT"):
        import_instances(path, slide, tmp_path / "run")
    path.write_bytes(made[1].read_bytes()[:3000])
    with pytest.raises(RunError, match="cannot be imported"):
        import_instances(path, slide, tmp_path / "run")
    with pytest.raises(RunError, match="cannot be read"):
        import_instances(tmp_path / "none", slide, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    other = write_tiff(tmp_path / "o.tiff", tissue_like(300, 300), levels=1)
    with wb.open_slide(other) as another, pytest.raises(RunError, match="refers to"):
        import_instances(made[1], another, tmp_path / "run")


def test_the_verb_imports_once(slide, made, tmp_path):
    words = ["instances", "import", str(made[1]), slide.path, "--out"]
    said = CliRunner().invoke(main, [*words, str(tmp_path / "run")])
    assert said.exit_code == 0, said.output
    assert "400 instances" in said.output
    again = CliRunner().invoke(main, [*words, str(tmp_path / "run")])
    assert "holds another run" in again.output
