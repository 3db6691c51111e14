"""Kappa and ICC beside other implementations and published examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

import workbench as wb
from workbench.errors import StudyError
from workbench.reading.agreement import Bootstrap, agreement_of, dice_agreement
from workbench.reading.form import Form
from workbench.reading.kappa import kappa_of, pair_tables

FORM = Form.of(
    {
        "properties": {
            "grade": {"enum": ["none", "low", "high"], "ordered": True},
            "percent": {"type": "number"},
            "remark": {},
        }
    },
    "form",
)
CLASSES = ["none", "low", "high"]


@given(
    st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=2),
    st.sampled_from([None, "linear", "quadratic"]),
)
def test_cohen_is_that_of_scikit_learn(pairs, weights):
    first, second = zip(*pairs, strict=True)
    if len({*first, *second}) == 1:
        return  # it is not defined, and scikit-learn warns
    ours = wb.reading.cohen_kappa(first, second, classes=CLASSES, weights=weights)
    theirs = cohen_kappa_score(first, second, labels=CLASSES, weights=weights)
    assert ours == pytest.approx(theirs, abs=1e-12, nan_ok=True)


def test_one_class_alone_has_no_kappa():
    assert np.isnan(wb.reading.cohen_kappa(["a", "a"], ["a", "a"]))
    assert np.isnan(wb.reading.fleiss_kappa([[2, 0], [2, 0]]))
    with pytest.raises(StudyError, match="1 and 0 answers"):
        wb.reading.cohen_kappa(["a"], [])


def test_fleiss_is_that_of_his_article():
    # As tabulated in many textbooks after J. L. Fleiss, Psychol. Bull. 76, 1971:
    # 10 subjects, 14 raters, 5 categories, kappa 0.210.
    counts = [
        *([0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0]),
        *([2, 2, 8, 1, 1], [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2]),
        *([6, 5, 2, 1, 0], [0, 2, 2, 3, 7]),
    ]
    assert wb.reading.fleiss_kappa(counts) == pytest.approx(0.210, abs=5e-4)
    # A slide that one reader has read says nothing of agreement.
    assert wb.reading.fleiss_kappa([*counts, [1, 0, 0, 0, 0]]) == (
        wb.reading.fleiss_kappa(counts)
    )


def test_icc_is_that_of_shrout_and_fleiss():
    # Table 2 of Psychol. Bull. 86, 1979: ICC(2,1) = 0.29.
    ratings = [
        *([9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8]),
        *([7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]),
    ]
    assert wb.reading.icc(ratings) == pytest.approx(0.29, abs=5e-3)
    assert wb.reading.icc([*ratings, [1, 2, 3, np.nan]]) == wb.reading.icc(ratings)
    assert wb.reading.icc([[1, 1], [2, 2], [3, 3]]) == 1


def read(number, *, noise, readers=("ann", "bob", "cem"), seed=0):
    """Return answers of readers who agree but for noise, and the cases."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, number)
    answers = {}
    for slide in range(number):
        answers[f"S{slide}"] = {}
        for reader in readers:
            wrong = random.random() < noise
            grade = int(random.integers(0, 3)) if wrong else int(truth[slide])
            percent = float(30 * truth[slide] + random.normal(0, 30 * noise))
            answers[f"S{slide}"][reader] = {
                "grade": CLASSES[grade],
                "percent": percent,
                "remark": "seen",
            }
    return answers, {slide: f"P{n // 2}" for n, slide in enumerate(answers)}


def test_every_question_has_its_measures_with_intervals():
    answers, cases = read(80, noise=0.3)
    found = {
        (each.question, each.measure, each.readers): each
        for each in agreement_of(FORM, answers, cases, rounds=500)
    }
    pairs = ["ann, bob", "ann, cem", "bob, cem"]
    kappas = ["Cohen's kappa", "Cohen's kappa, quadratic weights"]
    wanted = {("grade", kappa, pair) for pair in pairs for kappa in kappas}
    wanted |= {("percent", "ICC(2,1)", pair) for pair in [*pairs, "ann, bob, cem"]}
    wanted |= {("grade", "Fleiss' kappa", "ann, bob, cem")}
    assert set(found) == wanted
    for each in found.values():
        assert each.low < each.value < each.high
        assert (each.slides, each.cases) == (80, 40)
    one = found["grade", "Cohen's kappa", "ann, bob"]
    grades = {
        reader: [answers[slide][reader]["grade"] for slide in answers]
        for reader in ("ann", "bob")
    }
    assert one.value == pytest.approx(cohen_kappa_score(*grades.values()))


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    truth_answers, truth_cases = read(4000, noise=0.3, readers=("ann", "bob"))
    (truth, *_) = agreement_of(FORM, truth_answers, truth_cases, rounds=2)
    hits = 0
    for seed in range(1, 61):
        answers, cases = read(100, noise=0.3, readers=("ann", "bob"), seed=seed)
        (found, *_) = agreement_of(FORM, answers, cases, rounds=400)
        hits += found.low <= truth.value <= found.high
    assert 51 <= hits <= 60  # 95 % of 60 are 57; fewer than 51 come once in 200


def test_slides_of_one_case_count_as_one():
    answers, cases = read(40, noise=0.3)
    alone = {slide: slide for slide in cases}
    few = {slide: f"P{n % 4}" for n, slide in enumerate(cases)}
    widths = {}
    for name, grouped in (("alone", alone), ("few", few)):
        (found, *_) = agreement_of(FORM, answers, grouped, rounds=500)
        widths[name] = found.cases
    assert widths == {"alone": 40, "few": 4}
    one_case = dict.fromkeys(cases, "P")
    (found, *_) = agreement_of(FORM, answers, one_case, rounds=10)
    assert np.isnan([found.low, found.high]).all()


def test_regions_agree_by_dice():
    sizes = {"S1": (10.0, 6.0, 4.0), "S2": (0.0, 4.0, 0.0), "S3": (5.0, 5.0, 5.0)}
    bootstrap = Bootstrap({name: name for name in sizes}, 200, 0)
    found = dice_agreement(sizes, ("tumour", "ann, bob"), bootstrap)
    assert found.value == pytest.approx(2 * 9 / 30)
    assert found.low <= found.value <= found.high


def test_many_rounds_are_computed_at_once():
    tables = pair_tables([0, 1, 1], [0, 1, 0], CLASSES[:2])
    stacked = np.stack([tables.sum(0), tables[:2].sum(0)])
    assert kappa_of(stacked) == pytest.approx([0.4, 1.0])
