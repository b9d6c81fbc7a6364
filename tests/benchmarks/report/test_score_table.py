"""Tables of scores, from numbers given by hand; the golden tests hold those of the committed reference."""

import math
import re

import pandas as pd

from benchmarks.layout import Layout
from benchmarks.markup import power_of_two
from benchmarks.names import MODEL_NAMES
from benchmarks.report.score_table import to_markdown
from benchmarks.report.summary import columns_of
from ossnet.evaluation.quantities import QUANTITIES

NAN = math.nan
TABLE2 = Layout(
    "table2", "Table 2: every model", {"model": "Model"}, [(model,) for model in MODEL_NAMES], {"model": MODEL_NAMES}
)
LOCATIONS = (2**13, 2**14, 2**15)
TABLE1 = Layout(
    "table1",
    "Table 1: sampling",
    {"model": None, "sampling": "Sampling", "locations": "Locations", "drawn": "Drawn"},
    [("c", sampling, locations) for sampling in ("uniform", "border", "confidence") for locations in LOCATIONS],
    {"sampling": {"confidence": "confidence (ours)"}, "locations": {n: power_of_two(n) for n in LOCATIONS}},
    "Confidence sampling is ours",
)


def number(value: float, quantity: str = "dice", layout: Layout = TABLE2, **columns: object) -> dict[str, object]:
    """A row of what `summarise` gives, of three seeds and 16 cases unless `columns` say otherwise."""
    return {
        **{"table": layout.table, "dataset": "glioma", "profile": "laptop", "protocol": "dense", "model": "c"},
        **{"quantity": quantity, "unit": QUANTITIES[quantity].unit, "value": value, "seeds": 3, "n": 16},
        **{"low": value - 0.02, "high": value + 0.02, "std_seeds": 0.004, "std_cases": 0.1, "best": value + 0.005},
        **{"published": NAN, "reference": NAN, "scores": None},
        **columns,
    }


def frame_of(*rows: dict[str, object], layout: Layout = TABLE2) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[*columns_of(layout), "scores"])


def failure(model: str, seed: int, reason: str, dataset: str = "glioma") -> dict[str, object]:
    return {"dataset": dataset, "profile": "laptop", "model": model, "seed": seed, "reason": reason}


def row_of(markdown: str, *names: str) -> list[str]:
    (line,) = [line for line in markdown.splitlines() if line.startswith(f"| {' | '.join(names)} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def notes_of(markdown: str) -> str:
    return markdown.splitlines()[-1]


ONE = {"low": NAN, "high": NAN, "std_seeds": NAN, "seeds": 1}


def test_value_interval_spread_best_and_the_papers_number_stand_side_by_side() -> None:
    frame = frame_of(
        number(0.55, model="onet", published=0.7016),
        number(0.80, published=0.8842),
        number(4.0, "hausdorff95", low=3.5, high=4.25),
        number(2.25, "hausdorff95", model="onet", **ONE),
        number(0.9, "surface_dice"),
    )
    markdown = to_markdown(frame, TABLE2)
    assert row_of(markdown, "Model") == [
        *("Model", "Dice ↑", "Dice, best", "Dice, paper", "HD95 (mm) ↓", "Surface Dice ↑", "Cases", "Seeds", "Status"),
    ]
    assert row_of(markdown, "OSS-Net C") == [
        *("OSS-Net C", "**0.800** ± 0.004 [0.780, 0.820]", "**0.805**", "**0.8842**"),
        *("4.00 [3.50, 4.25]", "**0.900** [0.880, 0.920]", "16", "3", ""),
    ]
    assert row_of(markdown, "O-Net") == [
        *("O-Net", "0.550 ± 0.004 [0.530, 0.570]", "0.555", "0.7016", "**2.25**", "–", "16", "1–3", ""),
    ]


def test_the_reference_stands_beside_only_where_there_is_one() -> None:
    frame = frame_of(number(0.8, model="a", reference=0.81), number(0.7, reference=0.69, published=0.8842))
    markdown = to_markdown(frame, TABLE2)
    assert row_of(markdown, "Model")[1:5] == ["Dice ↑", "Dice, best", "Dice, reference", "Dice, paper"]
    assert row_of(markdown, "OSS-Net A")[3] == "**0.810**"
    assert row_of(markdown, "OSS-Net C")[3] == "0.690"
    assert "Reference:" in notes_of(markdown)
    without = to_markdown(frame.assign(reference=NAN), TABLE2)
    assert "eference" not in without


def test_one_seed_has_neither_interval_nor_best() -> None:
    markdown = to_markdown(frame_of(number(0.8, **ONE)), TABLE2)
    assert row_of(markdown, "OSS-Net C")[:2] == ["OSS-Net C", "**0.800**"]
    assert "best" not in row_of(markdown, "Model")[2]
    assert "interval" not in markdown


def test_only_embedded_data_are_called_synthetic() -> None:
    for dataset, synthetic in (("glioma", True), ("brats2020", False)):
        markdown = to_markdown(frame_of(number(0.8, dataset=dataset, published=0.8842)), TABLE2)
        assert ("synthetic" in markdown) is synthetic
        assert ("on BraTS 2020" in notes_of(markdown)) is synthetic


def test_values_that_read_alike_are_best_together() -> None:
    markdown = to_markdown(frame_of(number(0.80001, model="a", **ONE), number(0.80002, model="b", **ONE)), TABLE2)
    assert row_of(markdown, "OSS-Net A")[1] == row_of(markdown, "OSS-Net B")[1] == "**0.800**"


def test_no_row_is_dropped_in_silence() -> None:
    failures = pd.DataFrame(
        [
            *(failure("unet3d", seed, "OOM") for seed in range(3)),
            *(failure("c", 1, "OOM"), failure("c", 2, "the loss is a|b.")),
            *(failure("onet", 0, "OOM"), failure("onet", 1, "killed by signal 9")),
            failure("d", 0, "no memory", dataset="liver"),
        ]
    )
    markdown = to_markdown(frame_of(number(0.8, model="a"), number(0.7, seeds=1)), TABLE2, failures)
    glioma, liver = re.split(r"\n\n(?=Table 2)", markdown)
    assert row_of(glioma, "3D residual U-Net")[1:] == ["–", "–", "0", "0", "OOM"]
    assert row_of(glioma, "OSS-Net B")[-1] == "not run"
    assert row_of(glioma, "OSS-Net A")[-1] == ""
    assert row_of(glioma, "OSS-Net C")[-2:] == ["1", "seed 1: OOM, seed 2: failed"]
    assert row_of(glioma, "O-Net")[-1] == "OOM, failed"
    assert all(name in glioma for name in MODEL_NAMES.values())
    assert "Failed: 3D residual U-Net, seed 0, 1, 2: OOM." in notes_of(glioma)
    assert "Failed: OSS-Net C, seed 2: the loss is a|b." in notes_of(glioma)
    assert liver.splitlines()[0].endswith("profile laptop; no scores.")
    assert row_of(liver, "OSS-Net D")[-1] == "failed"


def test_a_row_without_a_valid_score_shows_no_number() -> None:
    markdown = to_markdown(frame_of(number(NAN, published=0.8842, n=0, best=NAN, **ONE | {"seeds": 0})), TABLE2)
    assert row_of(markdown, "OSS-Net C")[:5] == ["OSS-Net C", "–", "**0.8842**", "0", "0"]


def test_rows_of_table_1_are_told_apart_by_sampling_and_locations() -> None:
    ran = [
        number(0.7, layout=TABLE1, sampling=sampling, locations=locations, drawn=locations // 64)
        for sampling, locations in (("border", 2**14), ("uniform", 2**13), ("confidence", 2**15), ("other", 100))
    ]
    oom = pd.DataFrame([failure("c", 0, "OOM") | {"sampling": "border", "locations": 2**15, "drawn": 512}])
    markdown = to_markdown(frame_of(*ran, layout=TABLE1), TABLE1, oom)
    rows = [line.split(" | ") for line in markdown.splitlines() if line.startswith("| ")][2:]
    assert [(row[0].removeprefix("| "), row[1], row[2]) for row in rows] == [
        *(("uniform", "2¹³", "128"), ("uniform", "2¹⁴", "–"), ("uniform", "2¹⁵", "–")),
        *(("border", "2¹³", "–"), ("border", "2¹⁴", "256"), ("border", "2¹⁵", "512")),
        *(("confidence (ours)", "2¹³", "–"), ("confidence (ours)", "2¹⁴", "–"), ("confidence (ours)", "2¹⁵", "512")),
        ("other", "100", "1"),
    ]
    assert row_of(markdown, "border", "2¹⁵", "512")[-1] == "OOM"
    assert row_of(markdown, "uniform", "2¹⁵", "–")[-1] == "not run"
    assert "Confidence sampling is ours." in notes_of(markdown)
