"""Results of DICOM objects over a slide, and objects that cannot be used."""

from __future__ import annotations

import highdicom as hd
import numpy as np
import pydicom
import pytest
import shapely
from click.testing import CliRunner
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicom_results import instance_run, run_on
from made_slides import jpeg_ycbcr, tissue_like, write_tiff
from workbench.annotations.annotation import Annotation
from workbench.annotations.collection import open_annotations
from workbench.cli import main
from workbench.dicom.source import SourceImage
from workbench.errors import (
    AnnotationError,
    FeaturesError,
    MissingPackageError,
    OtherSlideError,
    UnplacedTilesError,
)
from workbench.export import export_annotations, export_run, write_dicom_slide
from workbench.export.dicom.instances import write_bulk_annotations
from workbench.features.opening import open_features
from workbench.features.recognition import recognize
from workbench.slide.slide import open_slide


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    with open_slide(jpeg_ycbcr(tmp_path_factory.mktemp("slide"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def converted(slide, tmp_path_factory):
    folder = write_dicom_slide(slide, tmp_path_factory.mktemp("dicom") / "slide.dicom")
    with open_slide(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    path = tmp_path_factory.mktemp("other") / "other.tif"
    write_tiff(path, tissue_like(seed=9), compression="jpeg")
    with open_slide(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def objects(slide, tmp_path_factory):
    """Return a folder with all objects, and the run of the rasters."""
    folder = tmp_path_factory.mktemp("objects")
    run = run_on(slide, folder / "run")
    for suffix in (".seg.dcm", ".classmap.dcm", ".labelmap.dcm", ".pm.dcm"):
        export_run(run, folder / f"a{suffix}")
    single = run_on(slide, folder / "single", classes=("tumour",))
    export_run(single, folder / "single.pm.dcm")
    write_bulk_annotations(instance_run(slide, folder), folder / "a.ann.dcm")
    export_annotations(slide, [AREA, LINE, POINT], folder / "drawn.ann.dcm")
    export_annotations(slide, [AREA, LINE, POINT], folder / "drawn.sr.dcm")
    export_annotations(slide, [AREA], folder / "drawn.seg.dcm")
    return folder, run


AREA = Annotation(geometry=shapely.box(100, 200, 500, 500), classification="Tumour")
LINE = Annotation(geometry=shapely.LineString([(0, 0), (300, 400)]), name="margin")
POINT = Annotation(geometry=shapely.Point(50.5, 60.25), classification="Mitosis")


def changed(folder, name, tmp_path, **values):
    """Return a copy of an object with other attributes; None removes one."""
    found = pydicom.dcmread(folder / name)
    for key, value in values.items():
        if value is None:
            delattr(found, key)
        else:
            setattr(found, key, value)
    path = tmp_path / name
    found.save_as(path)
    return path


def boxes_of(run):
    """Return the boxes of the cells that have values."""
    known = np.isfinite(run.heatmap.values).all(axis=0)
    rows, columns = np.nonzero(known)
    corners = np.stack([columns, rows], axis=1) * run.heatmap.cell
    return np.hstack([corners, corners + run.heatmap.cell]), known


@pytest.mark.parametrize("kind", [".seg.dcm", ".classmap.dcm", ".labelmap.dcm"])
def test_segmentations_are_scores_of_cells_at_their_places(slide, objects, kind):
    folder, run = objects
    found = open_features(folder / f"a{kind}", slide)
    boxes, known = boxes_of(run)
    assert np.allclose(found.boxes, boxes, atol=1e-3)
    assert found.scores.names == ("tumour", "stroma")
    values = run.heatmap.values[:, known].T
    if kind == ".seg.dcm":
        assert np.abs(found.scores.values - values).max() < 0.003
    else:
        assert np.array_equal(found.scores.values, np.eye(2)[values.argmax(axis=1)])
    assert recognize(folder / f"a{kind}").startswith("DICOM")


@pytest.mark.parametrize("name", ["a.pm.dcm", "single.pm.dcm"])
def test_parametric_maps_keep_their_values(slide, objects, name):
    folder, run = objects
    found = open_features(folder / name, slide)
    boxes, known = boxes_of(run)
    assert np.allclose(found.boxes, boxes, atol=1e-3)
    count = len(found.scores.names)
    assert found.scores.names == ("tumour", "stroma")[:count]
    if count == 2:
        assert np.array_equal(found.scores.values, run.heatmap.values[:, known].T)


def test_results_are_the_same_over_the_converted_slide(slide, converted, objects):
    folder, _ = objects
    first, second = (
        open_features(folder / "a.seg.dcm", each) for each in (slide, converted)
    )
    assert np.allclose(first.boxes, second.boxes, atol=1e-3)
    source = SourceImage.of_slide(converted)
    points = np.array([[0.0, 0.0], [123.5, 456.25]])
    assert np.allclose(source.to_pixels(source.to_mm(points)), points)
    assert len(source.levels) == 3


def test_a_turned_raster_is_placed_by_its_directions(slide, objects, tmp_path):
    folder, run = objects
    found = pydicom.dcmread(folder / "single.pm.dcm")
    # The same cells, told from the lower right corner backwards.
    rows, columns = found.TotalPixelMatrixRows, found.TotalPixelMatrixColumns
    step = np.array(
        found.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing,
        float,
    )[0]
    origin = found.TotalPixelMatrixOriginSequence[0]
    origin.XOffsetInSlideCoordinateSystem += float((rows - 1) * step)
    origin.YOffsetInSlideCoordinateSystem += float((columns - 1) * step)
    found.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    found.save_as(tmp_path / "turned.pm.dcm")
    turned = open_features(tmp_path / "turned.pm.dcm", slide)
    plain = open_features(folder / "single.pm.dcm", slide)
    assert len(turned) == len(plain)
    assert turned.boxes[:, 2:].max() <= columns * run.heatmap.cell + 1e-3
    value = turned.scores.values[turned.nearest(10, 10), 0]
    assert value == run_value(plain, columns, rows, run.heatmap.cell)
    found.ImageOrientationSlide = [0, 0.8, 0.6, 0.8, 0.36, -0.48]
    found.save_as(tmp_path / "askew.pm.dcm")
    with pytest.raises(FeaturesError, match=r"not parallel|lie"):
        open_features(tmp_path / "askew.pm.dcm", slide)


def run_value(plain, columns, rows, cell):
    """Return the value of the last cell."""
    last = plain.nearest((columns - 0.5) * cell, (rows - 0.5) * cell)
    return plain.scores.values[last, 0]


def test_bulk_annotations_and_regions_become_annotations(slide, objects, tmp_path):
    folder, _ = objects
    for name in ("drawn.ann.dcm", "drawn.sr.dcm"):
        annotations = open_annotations(slide, folder=tmp_path / name)
        annotations.take_in(folder / name, by="me")
        again = annotations.take_in((folder / name).read_bytes(), by="me", name="x")
        assert len(annotations) == len(again) == 3
        shapes = {each.kind: each for each in annotations}
        assert shapes["area"].geometry.symmetric_difference(AREA.geometry).area < 1
        assert shapes["line"].geometry.equals_exact(LINE.geometry, 0.02)
        assert shapes["point"].geometry.equals_exact(POINT.geometry, 0.02)
    assert annotations.select(classification="Neoplasm")  # a report has codes alone


def test_segments_become_areas(slide, objects, tmp_path):
    folder, _ = objects
    annotations = open_annotations(slide, folder=tmp_path)
    (area,) = annotations.take_in(folder / "drawn.seg.dcm", by="me")
    assert area.classification == "Tumour"
    difference = area.geometry.symmetric_difference(AREA.geometry).area
    assert difference < 0.04 * AREA.geometry.area  # cells of 8 px


def test_instances_come_back_with_their_classes(slide, objects, tmp_path):
    folder, _ = objects
    annotations = open_annotations(slide, folder=tmp_path)
    said = annotations.take_in(folder / "a.ann.dcm", by="me")
    assert len(said) == 300
    assert {each.classification for each in said} == {
        *("tumour", "lymphocyte", "stroma")
    }


def test_the_command_line_reads_them(slide, objects, tmp_path):
    folder, _ = objects
    words = ["annotations", "import", slide.path, "--annotations", str(tmp_path)]
    said = CliRunner().invoke(main, [*words, str(folder / "drawn.ann.dcm")])
    assert said.exit_code == 0, said.output
    assert "3 annotations added" in said.output
    words = ["features", "info", str(folder / "a.seg.dcm")]
    said = CliRunner().invoke(main, [*words, "--slide", slide.path])
    assert said.exit_code == 0, said.output
    assert "tumour" in said.output


def test_another_slide_is_named_with_both_identifiers(other, objects, tmp_path):
    folder, _ = objects
    with pytest.raises(OtherSlideError, match=r"frame of reference is 2\.25\.\d+"):
        open_features(folder / "a.seg.dcm", other)
    annotations = open_annotations(other, folder=tmp_path)
    with pytest.raises(AnnotationError, match=r"refers to the image 2\.25\.\d+"):
        annotations.take_in(folder / "a.ann.dcm", by="me")
    with pytest.raises(AnnotationError, match=r"frame of reference is 2\.25\.\d+"):
        annotations.take_in(folder / "drawn.sr.dcm", by="me")


def test_without_a_slide_it_is_asked_for(objects):
    folder, _ = objects
    with pytest.raises(UnplacedTilesError, match="the slide is needed"):
        open_features(folder / "a.seg.dcm")


def test_a_wrong_class_says_where_it_belongs(slide, objects, tmp_path):
    folder, _ = objects
    with pytest.raises(FeaturesError, match=r"Bulk Simple Annotations.*Import it"):
        open_features(folder / "a.ann.dcm", slide)
    annotations = open_annotations(slide, folder=tmp_path)
    with pytest.raises(AnnotationError, match=r"Parametric Map.*Open it as features"):
        annotations.take_in(folder / "a.pm.dcm", by="me")
    path = changed(folder, "a.ann.dcm", tmp_path, SOPClassUID="1.2.3")
    with pytest.raises(AnnotationError, match=r"DICOM 1\.2\.3.*Give a segmentation"):
        annotations.take_in(path, by="me")


@pytest.mark.parametrize("name", ["a.seg.dcm", "single.pm.dcm", "a.classmap.dcm"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_truncated_raster_is_one_sentence(slide, objects, tmp_path, name, share):
    folder, _ = objects
    data = (folder / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(share * len(data))])
    with pytest.raises(FeaturesError) as caught:
        open_features(tmp_path / name, slide)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("name", ["a.ann.dcm", "drawn.sr.dcm"])
def test_truncated_annotations_are_one_sentence(slide, objects, tmp_path, name, share):
    folder, _ = objects
    data = (folder / name).read_bytes()
    annotations = open_annotations(slide, folder=tmp_path)
    with pytest.raises(AnnotationError) as caught:
        annotations.take_in(data[: int(share * len(data))], by="me", name=name)
    assert "\n" not in str(caught.value)
    assert not len(annotations)


def test_counts_are_compared_with_what_is_there(slide, objects, tmp_path):
    folder, _ = objects
    found = pydicom.dcmread(folder / "a.ann.dcm")
    found.AnnotationGroupSequence[0].NumberOfAnnotations = 1_000_000_000
    found.save_as(tmp_path / "a.ann.dcm")
    annotations = open_annotations(slide, folder=tmp_path)
    with pytest.raises(AnnotationError, match=r"declares 1,000,000,000 annotations"):
        annotations.take_in(tmp_path / "a.ann.dcm", by="me")
    for key in ("TotalPixelMatrixRows", "NumberOfFrames", "Rows"):
        value = 60_000 if key == "Rows" else 1_000_000
        path = changed(folder, "single.pm.dcm", tmp_path, **{key: value})
        with pytest.raises(FeaturesError, match="declares"):
            open_features(path, slide)


def test_numbers_that_are_none_are_refused(slide, objects, tmp_path):
    folder, _ = objects
    found = pydicom.dcmread(folder / "a.ann.dcm")
    group = found.AnnotationGroupSequence[1]
    points = np.frombuffer(group.PointCoordinatesData, np.float32).copy()
    points[3] = np.nan
    group.PointCoordinatesData = points.tobytes()
    found.save_as(tmp_path / "a.ann.dcm")
    annotations = open_annotations(slide, folder=tmp_path)
    with pytest.raises(AnnotationError, match=r"1 of [\d,]+ points of 'lymphocyte'"):
        annotations.take_in(tmp_path / "a.ann.dcm", by="me")
    path = changed(
        folder,
        "single.pm.dcm",
        tmp_path,
        FloatPixelData=np.full(
            len(pydicom.dcmread(folder / "single.pm.dcm").FloatPixelData) // 4,
            np.nan,
            np.float32,
        ).tobytes(),
    )
    with pytest.raises(FeaturesError, match="no finite value"):
        open_features(path, slide)


def test_a_file_that_is_compressed_as_a_whole_is_not_inflated(slide, objects, tmp_path):
    folder, _ = objects
    found = pydicom.dcmread(folder / "single.pm.dcm")
    found.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    found.save_as(tmp_path / "a.pm.dcm")
    with pytest.raises(FeaturesError, match="compressed as a whole"):
        open_features(tmp_path / "a.pm.dcm", slide)
    (tmp_path / "b.dcm").write_bytes(b"no DICOM")
    with pytest.raises(FeaturesError, match="it is not DICOM"):
        open_features(tmp_path / "b.dcm", slide)


def test_without_the_libraries_the_extra_is_named(slide, objects, monkeypatch):
    folder, _ = objects
    for name in ("rasters", "shapes"):
        module = f"workbench.dicom.{name}"
        monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(MissingPackageError, match=r"slide-workbench\[dicom\]"):
        open_features(folder / "a.seg.dcm", slide)


def test_a_segmentation_of_highdicom_itself_is_read(shared_data):
    """Of a slide and a segmentation that come with highdicom."""
    with open_slide(shared_data / "wsi" / "sm_image.dcm") as slide:
        found = open_features(shared_data / "wsi" / "seg_image_sm_dots.dcm", slide)
        read = hd.seg.segread(shared_data / "wsi" / "seg_image_sm_dots.dcm")
        planes = read.get_total_pixel_matrix(combine_segments=False)
        assert len(found) == planes.any(axis=-1).sum()
        assert np.allclose(found.boxes[:, 2:] - found.boxes[:, :2], 1, atol=1e-3)
        rows, columns = np.nonzero(planes.any(axis=-1))
        assert np.allclose(found.boxes[:, 0], columns, atol=1e-3)
        assert np.allclose(found.boxes[:, 1], rows, atol=1e-3)
