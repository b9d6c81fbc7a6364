"""From scores to tables, on scores that can be averaged by hand."""

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.tables import COLUMNS, MODEL_NAMES, Runs, seed_counts, summarise, to_latex, to_markdown, write_table
from ossnet.errors import UserError
from ossnet.quantities import QUANTITIES

PUBLISHED = pd.DataFrame(
    [
        ("table2", "brats", "c", "dice", 0.8842),
        ("table2", "lits", "c", "dice", 0.7616),
        ("table2", "brats", "onet", "dice", 0.7016),
        ("table1", "brats", "c", "dice", 0.1),
    ],
    columns=["table", "dataset", "model", "quantity", "value"],
)


def scores_of(
    values: dict[tuple[str, int], list[float]], dataset: str = "glioma", quantity: str = "dice", unit: str = ""
) -> pd.DataFrame:
    """Scores by (model, seed), one a case."""
    rows = [
        (dataset, "laptop", model, seed, f"case-{case}", quantity, score, unit, "paper")
        for (model, seed), of_cases in values.items()
        for case, score in enumerate(of_cases)
    ]
    columns = ["dataset", "profile", "model", "seed", "case", "quantity", "value", "unit", "protocol"]
    return pd.DataFrame(rows, columns=columns)


def rendered(scores: pd.DataFrame, **runs: object) -> str:
    return to_markdown(summarise(scores, PUBLISHED), Runs(seed_counts(scores), **runs))


def row_of(markdown: str, name: str) -> list[str]:
    (line,) = [line for line in markdown.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_value_is_the_mean_over_seeds_of_the_mean_over_valid_cases() -> None:
    scores = scores_of({("c", 0): [0.5, 0.7, math.nan], ("c", 1): [0.8, math.nan, math.nan]})
    (row,) = summarise(scores, PUBLISHED).itertuples()
    # Seed means 0.6 of two cases and 0.8 of one.
    assert row.value == pytest.approx(0.7)
    assert (row.low, row.high) == pytest.approx((0.6, 0.8))
    assert row.n == 2
    assert (row.table, row.dataset, row.profile, row.protocol, row.unit) == ("table2", "glioma", "laptop", "paper", "")


def test_an_embedded_data_set_takes_the_numbers_of_the_one_it_stands_in_for() -> None:
    scores = pd.concat(
        scores_of({("c", 0): [0.5], ("a", 0): [0.5]}, dataset) for dataset in ("glioma", "liver", "brats2020", "other")
    )
    rows = summarise(scores, PUBLISHED).set_index(["dataset", "model"])["published"]
    assert rows["glioma", "c"] == rows["brats2020", "c"] == 0.8842
    assert rows["liver", "c"] == 0.7616
    assert rows[["glioma", "liver", "other"]].xs("a", level="model").isna().all()
    assert math.isnan(rows["other", "c"])


def test_columns_and_order_are_those_of_the_paper() -> None:
    models = ["zeta", *reversed(MODEL_NAMES), "alpha"]
    scores = pd.concat(
        scores_of({(model, 0): [0.5] for model in models}, quantity=quantity) for quantity in reversed(QUANTITIES)
    )
    frame = summarise(scores, PUBLISHED)
    assert list(frame) == COLUMNS
    assert list(frame["model"].unique()) == [*MODEL_NAMES, "alpha", "zeta"]
    assert list(frame["quantity"].unique()) == list(QUANTITIES)


def test_a_case_that_is_scored_twice_is_refused() -> None:
    scores = pd.concat([scores_of({("c", 0): [0.5, 0.6]}), scores_of({("c", 0): [0.5]})])
    with pytest.raises(UserError, match="two scores of dice for model c, seed 0, case case-0 on glioma"):
        summarise(scores, PUBLISHED)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 4))
def test_a_summary_keeps_to_its_scores(seed: int, seeds: int, cases: int) -> None:
    generator = np.random.default_rng(seed)
    scores = scores_of({(model, run): list(generator.random(cases)) for model in ("a", "c") for run in range(seeds)})
    frame = summarise(scores, PUBLISHED)
    assert ((frame["low"] <= frame["value"] + 1e-12) & (frame["value"] <= frame["high"] + 1e-12)).all()
    assert (frame["n"] == cases).all()
    shuffled = scores.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(summarise(shuffled, PUBLISHED), frame)


def test_markdown_shows_value_spread_paper_and_numbers() -> None:
    scores = pd.concat(
        [
            scores_of({("c", 0): [0.8, 0.9], ("c", 1): [0.8, 0.8], ("onet", 0): [0.5, 0.6]}),
            scores_of({("c", 0): [3.0, 4.0], ("c", 1): [3.5, 3.5]}, quantity="hausdorff95", unit="mm"),
            scores_of({("onet", 0): [2.0, 2.5]}, quantity="hausdorff95", unit="mm"),
        ]
    )
    markdown = rendered(scores, models=["onet", "c"])
    assert row_of(markdown, "Model") == ["Model", "Dice ↑", "Dice, paper", "HD95 (mm) ↓", "Cases", "Seeds"]
    assert row_of(markdown, "OSS-Net C") == [
        "OSS-Net C", "**0.825 (0.800–0.850)**", "**0.8842**", "3.50 (3.50–3.50)", "2", "2",
    ]  # fmt: skip
    assert row_of(markdown, "O-Net") == ["O-Net", "0.550", "0.7016", "**2.25**", "2", "1"]
    caption = markdown.splitlines()[0]
    for part in ("Table 2", "glioma", "laptop", "protocol paper", "cases: 2", "seeds: 1–2", "not directly comparable"):
        assert part in caption


def test_values_that_read_alike_are_best_together() -> None:
    markdown = rendered(scores_of({("a", 0): [0.80001], ("b", 0): [0.80002], ("c", 0): [0.7]}))
    assert row_of(markdown, "OSS-Net A")[2] == row_of(markdown, "OSS-Net B")[2] == "**0.800**"


def test_real_data_are_not_called_synthetic() -> None:
    caption = rendered(scores_of({("c", 0): [0.8]}, dataset="brats2020")).splitlines()[0]
    assert "synthetic" not in caption
    assert "best of three seeds" in caption


def test_no_model_is_dropped_in_silence() -> None:
    scores = scores_of({("a", 0): [0.8], ("c", 0): [0.7]})
    status = {
        ("glioma", "laptop", "unet3d"): "OOM",
        ("glioma", "laptop", "c"): "seed 1 failed: a|b",
        ("liver", "laptop", "d"): "failed: no memory",
    }
    glioma, liver = re.split(r"\n\n(?=Data set)", rendered(scores, status=status))
    assert row_of(glioma, "3D residual U-Net")[1:] == ["OOM", "–", "–", "0", "0"]
    assert row_of(glioma, "OSS-Net B")[1] == "not run"
    assert "1 (seed 1 failed: a\\|b)" in glioma
    assert all(name in glioma for name in MODEL_NAMES.values())
    assert "no scores" in liver
    assert row_of(liver, "OSS-Net D")[1] == "failed: no memory"


def test_a_model_without_a_valid_case_shows_no_number() -> None:
    frame = summarise(scores_of({("c", 0): [math.nan]}), PUBLISHED)
    assert frame["n"].item() == 0
    markdown = to_markdown(frame, Runs({("glioma", "laptop", "paper", "c"): 1}, models=["c"]))
    assert row_of(markdown, "OSS-Net C") == ["OSS-Net C", "–", "**0.8842**", "0", "1"]


def test_latex_has_rules_escapes_and_as_many_cells_in_each_row() -> None:
    scores = scores_of({("c", 0): [0.8], ("c", 1): [0.7], ("my_model", 0): [0.9]})
    latex = to_latex(
        summarise(scores, PUBLISHED), Runs(seed_counts(scores), {("glioma", "laptop", "a"): "50 % & more_ {x} ^~\\"})
    )
    rows = [line for line in latex.splitlines() if line.endswith(r"\\")]
    (columns,) = re.findall(r"\\begin\{tabular\}\{(\w+)\}", latex)
    assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns)}
    assert r"my\_model" in latex
    assert r"50 \% \& more\_ \{x\} \textasciicircum{}\textasciitilde{}\textbackslash{}" in latex
    assert r"0.750 (0.700--0.800)" in latex
    assert r"Dice $\uparrow$" in latex
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert latex.count(rule) == 1
    assert latex.isascii()


def test_a_table_is_written_in_three_forms(tmp_path: Path) -> None:
    scores = scores_of({("c", 0): [0.8, 0.9], ("c", 1): [0.7, 0.8]})
    frame, runs = summarise(scores, PUBLISHED), Runs(seed_counts(scores))
    write_table(frame, tmp_path / "table2", runs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table2.csv", "table2.md", "table2.tex"]
    read = pd.read_csv(tmp_path / "table2.csv", dtype={"unit": str}).fillna({"unit": ""})
    assert list(read) == COLUMNS
    pd.testing.assert_frame_equal(read, frame, check_dtype=False)
    assert (tmp_path / "table2.md").read_text(encoding="utf-8") == to_markdown(frame, runs)
    assert (tmp_path / "table2.tex").read_text(encoding="utf-8") == to_latex(frame, runs)


def test_scores_that_come_back_from_csv_give_the_same_table(tmp_path: Path) -> None:
    scores = scores_of({("c", 0): [0.8, math.nan]})
    scores.to_csv(tmp_path / "scores.csv", index=False)
    pd.testing.assert_frame_equal(
        summarise(pd.read_csv(tmp_path / "scores.csv"), PUBLISHED), summarise(scores, PUBLISHED), check_dtype=False
    )
