"""How often the intervals of comparisons hold the truth, in simulated studies.

    python benchmarks/study_intervals.py [--studies 400]

Studies of two groups without a difference, four slides of a case, which are alike
(correlation 0.8): the share of the studies in which the 95 % interval of the difference
holds 0, by the number of cases in a group; by a bootstrap of whole cases, as
`workbench.study.compare` draws, and as if slides were independent.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import pandas as pd

from workbench.study.comparison import compare


def simulated(random, cases, slides=4):
    """Return slides of two groups without a difference; those of a case are alike."""
    level = np.repeat(random.normal(0, 1, 2 * cases), slides)
    return pd.DataFrame(
        {
            "slide": [f"s{each}" for each in range(len(level))],
            "case": np.repeat([f"c{each}" for each in range(2 * cases)], slides),
            "group": np.repeat(["a", "b"], cases * slides),
            "value": level + random.normal(0, 0.5, len(level)),
        }
    )


def coverage(studies):
    """Print the coverage of the intervals of a difference that is zero."""
    for cases in (5, 10, 20, 40):
        random = np.random.default_rng(cases)
        held = {"by_case": 0, "by_slide": 0}
        for seed in range(studies):
            table = simulated(random, cases)
            for name, given in (
                ("by_case", table),
                ("by_slide", table.assign(case="")),
            ):
                row = compare(given, "value", "group", rounds=500, seed=seed)
                row = row.differences.iloc[0]
                held[name] += bool(row["low"] <= 0 <= row["high"])
        shares = {name: round(n / studies, 3) for name, n in held.items()}
        print(json.dumps({"cases_in_a_group": cases, **shares}), flush=True)


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=400)
    coverage(parser.parse_args().studies)


if __name__ == "__main__":
    main()
