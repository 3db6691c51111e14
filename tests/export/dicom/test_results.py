"""Results as DICOM objects, read back by highdicom and wsidicom."""

from __future__ import annotations

import itertools
import shutil

import highdicom as hd
import numpy as np
import pydicom
import pytest
import shapely
import wsidicom
from click.testing import CliRunner
from pydicom.sr.codedict import codes

from dicom_results import instance_run, run_on
from dicom_validation import errors_of
from made_instances import write_instances
from made_slides import jpeg_ycbcr, tissue_like, write_tiff
from workbench.annotations.annotation import Annotation
from workbench.annotations.collection import open_annotations
from workbench.cli import main
from workbench.dicom.measures import MEASURES, name_of
from workbench.errors import AnnotationError, MissingPackageError, RunError
from workbench.export import (
    export_annotations,
    export_run,
    write_dicom_slide,
)
from workbench.export.dicom import rasters
from workbench.export.dicom.codes import CLASSES, measure_of
from workbench.export.dicom.instances import write_bulk_annotations
from workbench.export.dicom.report import write_run_report
from workbench.provenance.reading import read_provenance
from workbench.slide.slide import open_slide

HEATMAPS = [".seg.dcm", ".classmap.dcm", ".labelmap.dcm", ".pm.dcm"]


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    with open_slide(jpeg_ycbcr(tmp_path_factory.mktemp("slide"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def converted(slide, tmp_path_factory):
    """Return the slide as DICOM, in which viewers place the results."""
    return write_dicom_slide(slide, tmp_path_factory.mktemp("dicom") / "slide.dicom")


@pytest.fixture(scope="module")
def run(slide, tmp_path_factory):
    return run_on(slide, tmp_path_factory.mktemp("run") / "run")


@pytest.fixture(scope="module")
def single(slide, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    return run_on(slide, path, classes=("tumour",))


def is_of(made, converted):
    """Check that an object refers to the converted slide, and lies on its glass."""
    image = pydicom.dcmread(converted / "level-0.dcm", stop_before_pixels=True)
    assert made.StudyInstanceUID == image.StudyInstanceUID
    series = made.ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == image.SeriesInstanceUID
    instance = series.ReferencedInstanceSequence[0]
    assert instance.ReferencedSOPInstanceUID == image.SOPInstanceUID
    if "FrameOfReferenceUID" in made:
        assert made.FrameOfReferenceUID == image.FrameOfReferenceUID
    return image


def check_places(made, image, cell):
    """Check that corners of cells are where they are on the slide, by highdicom."""
    whole = {"for_total_pixel_matrix_from": True, "for_total_pixel_matrix_to": True}
    convert = hd.spatial.ImageToImageTransformer.for_images(made, image, **whole)
    cells = np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 2.0]])
    assert np.allclose(convert(cells), cells * cell, atol=1e-3)


def test_probabilities_become_a_fractional_segmentation(run, converted, tmp_path):
    path = export_run(run, tmp_path / "a.seg.dcm")
    made = hd.seg.segread(path)
    found = made.get_total_pixel_matrix(combine_segments=False, rescale_fractional=True)
    expected = np.moveaxis(np.nan_to_num(run.heatmap.values), 0, -1)
    assert np.abs(found - expected).max() <= 0.5 / 255 + 1e-6
    described = [made.get_segment_description(n) for n in (1, 2)]
    assert [each.segment_label for each in described] == ["tumour", "stroma"]
    assert described[0].segmented_property_type == codes.SCT.Neoplasm
    assert described[1].segmented_property_type == codes.SCT.ConnectiveTissue
    check_places(made, is_of(made, converted), run.heatmap.cell)
    assert errors_of(path, allowed=()) == []


def test_one_class_is_tiled_full_and_keeps_its_values_in_a_parametric_map(
    single, converted, tmp_path
):
    path = export_run(single, tmp_path / "a.seg.dcm")
    assert hd.seg.segread(path).DimensionOrganizationType == "TILED_FULL"
    assert errors_of(path) == []
    path = export_run(single, tmp_path / "a.pm.dcm")
    made = hd.imread(path)
    values = made.get_total_pixel_matrix().squeeze()
    assert np.array_equal(values, single.heatmap.values[0], equal_nan=True)
    assert np.isnan(values).any()
    check_places(made, is_of(made, converted), single.heatmap.cell)
    assert errors_of(path) == []


def test_values_of_several_classes_have_frames_of_their_own(run, tmp_path):
    path = export_run(run, tmp_path / "a.pm.dcm")
    made = pydicom.dcmread(path)
    labels = [
        frame.RealWorldValueMappingSequence[0].LUTLabel
        for frame in made.PerFrameFunctionalGroupsSequence
    ]
    assert labels == ["tumour", "stroma"]
    rows, columns = run.heatmap.values.shape[1:]
    frames = hd.imread(path).get_frames()
    for values, frame in zip(run.heatmap.values, frames, strict=True):
        assert np.array_equal(frame[:rows, :columns], values, equal_nan=True)
    assert errors_of(path) == []


def test_the_most_probable_class_becomes_bits_and_numbers(run, converted, tmp_path):
    known = np.isfinite(run.heatmap.values).all(axis=0)
    winner = np.where(known, np.nan_to_num(run.heatmap.values).argmax(axis=0) + 1, 0)
    for suffix in (".classmap.dcm", ".labelmap.dcm"):
        path = export_run(run, tmp_path / f"a{suffix}")
        made = hd.seg.segread(path)
        found = made.get_total_pixel_matrix(combine_segments=True)
        assert np.array_equal(found, winner)
        check_places(made, is_of(made, converted), run.heatmap.cell)
    assert errors_of(tmp_path / "a.classmap.dcm", allowed=()) == []


def test_instances_become_a_group_for_each_class(slide, converted, tmp_path):
    run = instance_run(slide, tmp_path)
    path = tmp_path / "a.ann.dcm"
    write_bulk_annotations(run, path)
    made = hd.ann.annread(path)
    is_of(made, converted)
    store = run.final_instances
    columns = store.columns()
    groups = made.get_annotation_groups()
    assert [group.label for group in groups] == list(store.classes)
    for number, group in enumerate(groups):
        ids = np.flatnonzero(columns["class"] == number)
        found, data = store.take(ids), group.get_graphic_data("2D")
        truth = np.split(found.points, found.ends[:-1])
        assert all(map(np.array_equal, data, truth))
        assert len(data) == len(ids) == group.number_of_annotations
        names, values, _ = group.get_measurements()
        assert [name.meaning for name in names] == ["score", "Area"]
        assert np.array_equal(values[:, 0], columns["score"][ids])
        assert np.array_equal(values[:, 1], columns["area_um2"][ids])
        algorithm = group.algorithm_identification[0]
        assert algorithm.AlgorithmName == "nuclei"
    assert groups[0].annotated_property_type == codes.SCT.Neoplasm
    assert errors_of(path) == []


def test_wsidicom_shows_instances_with_the_converted_slide(slide, converted, tmp_path):
    run = instance_run(slide, tmp_path, 30)
    folder = tmp_path / "both"
    shutil.copytree(converted, folder)
    write_bulk_annotations(run, folder / "a.ann.dcm")
    with wsidicom.WsiDicom.open(folder) as theirs:
        (instance,) = theirs.annotations
        counts = [len(group.annotations) for group in instance.groups]
        kinds = run.final_instances.columns(["class"])["class"]
        assert counts == np.bincount(kinds).tolist()
        first = instance.groups[0].annotations[0].geometry.to_list_coords()
    store = run.final_instances
    points = store.take([int(np.flatnonzero(kinds == 0)[0])]).points
    assert np.allclose(first, points)


def test_groups_without_instances_are_left_out_and_missing_measures_are_kept(
    slide, tmp_path
):
    store = instance_run(slide, tmp_path, 20).final_instances
    columns = store.columns()
    some = store.take(np.flatnonzero(columns["class"] != 1))
    some.measures["area_um2"][2] = np.nan
    path = tmp_path / "some.parquet"
    run = instance_run(slide, tmp_path, store=write_instances(path, some))
    write_bulk_annotations(run, tmp_path / "a.ann.dcm")
    groups = hd.ann.annread(tmp_path / "a.ann.dcm").get_annotation_groups()
    assert [group.label for group in groups] == ["tumour", "stroma"]
    values = np.concatenate([group.get_measurements()[1][:, 1] for group in groups])
    assert np.isnan(values).sum() == 1


def test_counts_become_a_report(slide, run, single, converted, tmp_path):
    path = tmp_path / "a.sr.dcm"
    instances = instance_run(slide, tmp_path)
    write_run_report(instances, path)
    made = hd.sr.srread(path)
    image = pydicom.dcmread(converted / "level-0.dcm", stop_before_pixels=True)
    evidence = made.CurrentRequestedProcedureEvidenceSequence[0]
    instance = evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert instance.ReferencedSOPInstanceUID == image.SOPInstanceUID
    groups = made.content.get_image_measurement_groups()
    assert len(groups) == 4  # three classes, and all
    measured = {each.name.meaning: each.value for each in groups[3].get_measurements()}
    area = np.prod(slide.size) * slide.mpp**2 / 1e6
    assert measured["count"] == 300
    assert measured["density"] == pytest.approx(300 / area)
    assert errors_of(path) == []
    export_run(run, path)
    groups = hd.sr.srread(path).content.get_image_measurement_groups()
    areas = [group.get_measurements(codes.SCT.Area)[0].value for group in groups]
    known = np.isfinite(run.heatmap.values).all(axis=0).sum()
    assert sum(areas) == pytest.approx(known * (run.heatmap.cell * 0.5) ** 2 / 1e6)
    export_run(single, path)
    assert errors_of(path) == []


def test_a_large_class_map_is_a_pyramid(run, converted, tmp_path, monkeypatch):
    monkeypatch.setattr(rasters, "LARGE", 5)
    folder = export_run(run, tmp_path / "a.dicom")
    names = ["result", "result-1", "result-2"]
    levels = [hd.seg.segread(folder / f"{name}.classmap.dcm") for name in names]
    assert not (folder / "result-3.classmap.dcm").exists()
    assert len({each.PyramidUID for each in levels}) == 1
    assert len({each.SeriesInstanceUID for each in levels}) == 1
    assert len({each.SOPInstanceUID for each in levels}) == 3
    wanted = run.heatmap.values
    known = np.isfinite(wanted).all(axis=0)
    wanted = np.where(known, np.nan_to_num(wanted).argmax(axis=0) + 1, 0)
    for number, made in enumerate(levels):
        found = made.get_total_pixel_matrix(combine_segments=True)
        assert np.array_equal(found, wanted)
        check_places(made, is_of(made, converted), run.heatmap.cell * 2**number)
        assert errors_of(folder / f"{names[number]}.classmap.dcm", allowed=()) == []
        wanted = most_frequent(wanted)


def most_frequent(raster):
    """Return the lowest of the most frequent numbers of each 2 x 2 cells."""
    rows, columns = raster.shape
    padded = np.pad(raster, ((0, rows % 2), (0, columns % 2)), "edge")
    found = [
        [np.bincount(padded[y : y + 2, x : x + 2].ravel()).argmax() for x in xs]
        for y, xs in zip(
            range(0, padded.shape[0], 2),
            itertools.repeat(range(0, padded.shape[1], 2)),
            strict=False,
        )
    ]
    return np.array(found)


def test_all_objects_of_a_run_fit_in_a_folder(run, single, tmp_path):
    folder = export_run(run, tmp_path / "a.dicom")
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("result.seg.dcm", "result.classmap.dcm", "result.labelmap.dcm"),
        *("result-1.pm.dcm", "result-2.pm.dcm", "result.sr.dcm"),
        "provenance.json",
    }
    uids = {pydicom.dcmread(path).SOPInstanceUID for path in folder.glob("*.dcm")}
    assert len(uids) == len(names) - 1
    assert read_provenance(folder / "result.seg.dcm").recipe == {"model": "mean-colour"}
    second = hd.imread(folder / "result-2.pm.dcm").get_total_pixel_matrix().squeeze()
    assert np.array_equal(second, run.heatmap.values[1], equal_nan=True)
    names = {path.name for path in export_run(single, tmp_path / "b.dicom").iterdir()}
    names.remove("provenance.json")
    assert names == {"result.seg.dcm", "result.pm.dcm", "result.sr.dcm"}


def test_equal_runs_give_equal_files(run, tmp_path, monkeypatch):
    times = (f"2026-01-01T00:00:{second:02}+00:00" for second in itertools.count())
    monkeypatch.setattr("workbench.provenance.provenance.now", lambda: next(times))
    for suffix in (".seg.dcm", ".classmap.dcm", ".labelmap.dcm", ".sr.dcm"):
        first = export_run(run, tmp_path / f"a{suffix}").read_bytes()
        second = export_run(run, tmp_path / f"b{suffix}").read_bytes()
        assert first == second, suffix


@pytest.mark.parametrize("suffix", HEATMAPS)
def test_what_has_no_such_object_says_so(slide, run, tmp_path, suffix):
    measured = run_on(slide, tmp_path / "run", task="measurement", unit="1/mm²")
    if suffix != ".pm.dcm":
        with pytest.raises(RunError, match=r"suffix.*\.pm\.dcm"):
            export_run(measured, tmp_path / f"a{suffix}")
    with pytest.raises(RunError, match=r"'dicom-ann' cannot hold"):
        export_run(run, tmp_path / "a.ann.dcm", to="dicom-ann")
    assert not list(tmp_path.glob("*.dcm"))


def test_results_refer_to_a_given_slide(shared_data, tmp_path):
    folder = shared_data / "wsi" / "CMU-1-Small-Region-dicomA"
    with open_slide(shared_data / "wsi" / "CMU-1-Small-Region.svs") as slide:
        run = run_on(slide, tmp_path / "run", tile_px=256, classes=("tumour",))
    made = hd.seg.segread(export_run(run, tmp_path / "a.seg.dcm", source=folder))
    levels = [pydicom.dcmread(f, stop_before_pixels=True) for f in folder.iterdir()]
    (image,) = [each for each in levels if each.ImageType[2] == "VOLUME"]
    assert made.FrameOfReferenceUID == image.FrameOfReferenceUID
    assert made.ImageOrientationSlide == image.ImageOrientationSlide
    with open_slide(folder) as slide:
        own = run_on(slide, tmp_path / "own", tile_px=256, classes=("tumour",))
        made = hd.seg.segread(export_run(own, tmp_path / "b.seg.dcm"))
        assert made.FrameOfReferenceUID == image.FrameOfReferenceUID


def test_another_slide_is_refused_with_both_sizes(run, tmp_path):
    path = write_tiff(tmp_path / "b.tif", tissue_like(300, 400), compression="jpeg")
    with open_slide(path) as other:
        folder = write_dicom_slide(other, tmp_path / "b.dicom")
    with pytest.raises(RunError, match=r"400 x 300 pixels, the slide .* 900 x 700"):
        export_run(run, tmp_path / "a.seg.dcm", source=folder)
    with pytest.raises(RunError, match="refers to no DICOM slide"):
        export_run(run, tmp_path / "a.csv", source=folder)


def test_without_the_libraries_the_extra_is_named(run, tmp_path, monkeypatch):
    module = "workbench.export.dicom.rasters"
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(MissingPackageError, match=r"slide-workbench\[dicom\]"):
        export_run(run, tmp_path / "a.seg.dcm")


AREA = Annotation(
    geometry=shapely.box(100, 200, 500, 500) - shapely.box(200, 300, 300, 400),
    classification="Tumour",
)
OTHER = Annotation(geometry=shapely.box(400, 400, 600, 600), classification="Necrosis")
LINE = Annotation(geometry=shapely.LineString([(0, 0), (300, 400)]), name="margin")
POINT = Annotation(geometry=shapely.Point(50.5, 60.25), classification="Mitosis")


def test_annotations_become_groups_by_class_and_kind(slide, converted, tmp_path):
    path = tmp_path / "a.ann.dcm"
    export_annotations(slide, [AREA, LINE, POINT], path)
    made = hd.ann.annread(path)
    is_of(made, converted)
    groups = {group.label: group for group in made.get_annotation_groups()}
    assert set(groups) == {"Tumour", "Unclassified", "Mitosis"}
    assert groups["Tumour"].algorithm_type.value == "MANUAL"
    (ring,) = groups["Tumour"].get_graphic_data("2D")
    assert shapely.Polygon(ring).equals(shapely.box(100, 200, 500, 500))
    (line,) = groups["Unclassified"].get_graphic_data("2D")
    assert line.tolist() == [[0, 0], [300, 400]]
    assert groups["Mitosis"].get_graphic_data("2D")[0].tolist() == [[50.5, 60.25]]
    assert errors_of(path) == []


def test_areas_become_segments_that_may_overlap(slide, converted, tmp_path):
    path = tmp_path / "a.seg.dcm"
    export_annotations(slide, [AREA, OTHER, POINT], path)
    made = hd.seg.segread(path)
    cell_mm = made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    cell = cell_mm.PixelSpacing[0] / 0.0005
    assert cell == pytest.approx(8)  # 4 µm
    check_places(made, is_of(made, converted), cell)
    found = made.get_total_pixel_matrix(combine_segments=False)
    for number, area in ((1, OTHER), (2, AREA)):
        assert made.get_segment_description(number).segment_label == (
            area.classification
        )
        covered = found[..., number - 1].sum() * cell**2
        assert covered == pytest.approx(area.geometry.area, rel=0.05)
    assert errors_of(path, allowed=()) == []
    with pytest.raises(AnnotationError, match="none of the 1 annotations encloses"):
        export_annotations(slide, [POINT], path)


def test_annotations_become_regions_in_mm_on_the_glass(slide, converted, tmp_path):
    path = tmp_path / "a.sr.dcm"
    export_annotations(slide, [AREA, LINE], path)
    content = hd.sr.srread(path).content
    area, line = content.get_planar_roi_measurement_groups()
    image = pydicom.dcmread(converted / "level-0.dcm", stop_before_pixels=True)
    to_image = hd.spatial.ReferenceToImageTransformer.for_image(
        image, for_total_pixel_matrix=True
    )
    points = to_image(area.roi.value)[:, :2]
    truth = shapely.box(100, 200, 500, 500)
    assert shapely.Polygon(points).symmetric_difference(truth).area < 1
    measured = area.get_measurements(codes.SCT.Area)[0]
    assert measured.value == pytest.approx(AREA.geometry.area * 0.25)
    assert np.allclose(to_image(line.roi.value)[:, :2], [[0, 0], [300, 400]], atol=1e-4)
    assert errors_of(path) == []


def test_the_command_line_exports_annotations(slide, tmp_path):
    folder = tmp_path / "annotations"
    open_annotations(slide, folder=folder).put(AREA, by="me")
    words = ["annotations", "export", slide.path, "--annotations", str(folder)]
    said = CliRunner().invoke(main, [*words, str(tmp_path / "a.ann.dcm")])
    assert said.exit_code == 0, said.output
    assert "1 annotation written" in said.output
    hd.ann.annread(tmp_path / "a.ann.dcm")


def test_codes_are_those_of_the_standard():
    known = {
        str(getattr(codes.SCT, name).value): str(getattr(codes.SCT, name).meaning)
        for name in codes.SCT.dir()
    }
    pairs = [*(code for both in CLASSES.values() for code in both)]
    pairs += [(value, meaning) for value, _, meaning in MEASURES.values()]
    for value, _ in pairs:
        assert value in known
    for name in ("area_um2", "score", "mean_od", "density_1/mm2"):
        code, unit = measure_of(name)
        item = pydicom.Dataset()
        item.ConceptNameCodeSequence = [code]
        item.MeasurementUnitsCodeSequence = [unit]
        assert name_of(item) == name
