"""The results of all slides as one table, data sets and comparisons."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest
from click.testing import CliRunner
from scipy.stats import chi2

import workbench as wb
from made_instances import CLASSES, made_store
from made_slides import write_tiff
from studies import two_coloured
from workbench.cli import main
from workbench.errors import StudyError
from workbench.study.aggregation import aggregate
from workbench.study.comparison import compare


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of three slides, the last a copy, run by three models."""
    folder = tmp_path_factory.mktemp("project")
    lines = ["path,case,group"]
    for number, seed in enumerate((0, 1, 0)):
        path = folder / f"{number}.tif"
        write_tiff(path, two_coloured(512, seed=seed), compression="zlib", levels=2)
        lines.append(f"{path.name},c{number},{'ab'[number % 2]}")
    (folder / "slides.csv").write_text("\n".join(lines))
    study = wb.make_study(folder / "study", folder / "slides.csv")
    for model in ("tissue-classes", "nuclei", "tissue-features"):
        study.run(model=model, device="cpu", tissue_only=False, workers=0)
    return study


@pytest.mark.slow
def test_classes_have_shares_and_areas(study):
    table = study.table("tissue-classes").set_index("slide")
    assert table["status"].tolist() == ["finished"] * 3
    assert table["group"].tolist() == ["a", "b", "a"]
    assert table.loc["2", "flags"] == "same content as 0"
    assert table["area_mm2"].to_numpy() == pytest.approx([0.256**2] * 3, rel=0.3)
    shares = table.filter(like="share_")
    assert shares.sum(axis=1).to_numpy() == pytest.approx([1, 1, 1])
    areas = table.filter(like="mm2_").sum(axis=1)
    assert areas.to_numpy() == pytest.approx(table["area_mm2"].to_numpy())
    run = study.analysis("tissue-classes").open_run("0")
    values = run.heatmap.values  # noqa: PD011 - no pandas
    name = run.heatmap.classes[0]
    assert table.loc["0", f"mean_{name}"] == pytest.approx(np.nanmean(values[0]))
    expected = (values.argmax(axis=0) == 0)[np.isfinite(values[0])].mean()
    assert table.loc["0", f"share_{name}"] == pytest.approx(expected)
    assert (table["run_s"] > 0).all()


@pytest.mark.slow
def test_instances_have_densities_with_intervals(study):
    table = study.table("nuclei").set_index("slide")
    data = study.instances("nuclei")
    rows = data.to_table(columns=["slide", "x"]).to_pandas()
    counts = rows["slide"].value_counts().reindex(table.index, fill_value=0)
    assert table["count_all"].tolist() == counts.tolist()
    count, area = table.loc["0", ["count_all", "area_mm2"]]
    assert table.loc["0", "per_mm2_all"] == pytest.approx(count / area)
    high = chi2.ppf(0.975, 2 * count + 2) / 2 / area
    assert table.loc["0", "per_mm2_all_high"] == pytest.approx(high)


def test_instances_are_aggregated_as_pandas_does(tmp_path):
    for name, number in (("a", 3000), ("b", 2000)):
        (tmp_path / name).mkdir()
        made_store(tmp_path / name, number, seed=number)
    data = ds.dataset(
        [str(tmp_path / name / "instances.parquet") for name in "ab"],
        format="parquet",
        partitioning=ds.DirectoryPartitioning(pa.schema([("slide", pa.string())])),
        partition_base_dir=str(tmp_path),
    )
    rows = data.to_table().to_pandas()
    where = pc.field("score") > 0.5
    found = aggregate(data, ["slide", "class"], ["area_um2"], where)
    kept = rows[rows["score"] > 0.5]
    kept = kept.assign(**{"class": [CLASSES[number] for number in kept["class"]]})
    expected = kept.groupby(["slide", "class"])["area_um2"]
    expected = expected.agg(["size", "mean", "min", "max"]).reset_index()
    assert found[["slide", "class"]].equals(expected[["slide", "class"]])
    assert found["count"].tolist() == expected["size"].tolist()
    for name in ("mean", "min", "max"):
        values = expected[name].to_numpy()
        assert found[f"area_um2_{name}"].to_numpy() == pytest.approx(values, rel=1e-5)
    whole = aggregate(data, [], ["score"], None)
    assert whole.loc[0, "count"] == 5000
    spread = rows["score"].std(ddof=0)
    assert whole.loc[0, "score_sd"] == pytest.approx(spread, rel=1e-4)
    with pytest.raises(StudyError, match="no column 'age'"):
        aggregate(data, ["age"], [], None)


def test_a_study_aggregates_its_instances(study):
    assert study.aggregate(analysis="nuclei")["count"].sum() == (
        study.instances("nuclei").count_rows()
    )


def test_vectors_of_all_slides_are_one_data_set(study):
    found = study.vectors("tissue-features").to_table().to_pandas()
    assert sorted(found["slide"].unique()) == ["0", "1", "2"]
    run = study.analysis("tissue-features").open_run("1")
    one = np.stack(found.loc[found["slide"] == "1", "vector"])
    assert np.array_equal(one, run.embeddings.vectors)
    with pytest.raises(StudyError, match="no such results"):
        study.vectors("tissue-classes")
    with pytest.raises(StudyError, match="no such results"):
        study.instances("tissue-classes")


def test_results_are_computed_once(study, monkeypatch):
    before = study.table("nuclei")
    monkeypatch.setattr("workbench.study.kept_results.open_run", None)
    pd.testing.assert_frame_equal(study.table("nuclei"), before)


def test_the_command_line_prints_writes_and_compares(study, tmp_path):
    words = ["study", "table", str(study.path), "--name", "nuclei"]
    for name, read in (("t.csv", pd.read_csv), ("t.parquet", pd.read_parquet)):
        assert not CliRunner().invoke(main, [*words, "--to", tmp_path / name]).exit_code
        assert len(read(tmp_path / name)) == 3
    said = CliRunner().invoke(main, [*words, "--compare", "count_all", "--by", "group"])
    assert "whole cases drawn with replacement within each group" in said.output
    assert "fewer than 10 cases" in said.output
    assert CliRunner().invoke(main, [*words, "--compare", "count_all"]).exit_code == 2
    refused = CliRunner().invoke(main, [*words, "--to", "t.xlsx"])
    assert "ends neither in .csv nor in .parquet" in refused.output


def clustered(random, cases=24, slides=6):
    """Return slides whose cases differ much and whose slides of one case little."""
    level = np.repeat(random.normal(0, 1, cases), slides)
    return pd.DataFrame(
        {
            "slide": [f"s{each}" for each in range(cases * slides)],
            "case": np.repeat([f"c{each}" for each in range(cases)], slides),
            "group": np.repeat(["a", "b"], cases * slides // 2),
            "value": level + random.normal(0, 0.1, cases * slides),
        }
    )


@pytest.mark.slow
def test_intervals_cover_although_slides_of_a_case_are_alike():
    random = np.random.default_rng(0)
    covered = naive = 0
    for seed in range(40):
        found = compare(clustered(random), "value", "group", rounds=200, seed=seed)
        row = found.differences.iloc[0]
        covered += row["low"] <= 0 <= row["high"]
        table = clustered(random).assign(case="")  # as if slides were independent
        row = compare(table, "value", "group", rounds=200, seed=seed).differences
        naive += row["low"].iloc[0] <= 0 <= row["high"].iloc[0]
    assert covered >= 33
    assert naive <= 28


def test_cases_in_both_groups_are_drawn_together():
    table = clustered(np.random.default_rng(1))
    table["group"] = np.tile(["a", "b"], len(table) // 2)
    table.loc[table["group"] == "b", "value"] += 1
    found = compare(table, "value", "group", rounds=500)
    row = found.differences.iloc[0]
    assert -1.1 < row["low"] < row["high"] < -0.9
    assert "from all cases" in found.method
    with pytest.raises(StudyError, match="no column 'age'"):
        compare(table, "age", "group")
    with pytest.raises(StudyError, match="No slide has both"):
        compare(table.assign(value=None), "value", "group")
