"""The claims of the paper, judged by its own tables and by records made for them."""

import math
from collections.abc import Callable, Mapping

import pandas as pd
import pytest

from benchmarks.claims.judge import VERDICT_COLUMNS, judge
from benchmarks.claims.schema import Claim, read_claims
from benchmarks.names import MODEL_NAMES, PUBLISHED, read_published
from benchmarks.studies.ablations import ABLATIONS
from benchmarks.studies.additions import ADDITIONS

CLAIMS = read_claims(PUBLISHED / "claims.toml")
OF_PAPER = {table: read_published(PUBLISHED, table) for table in ("table1", "table2", "table3")}
NOTHING = pd.DataFrame()

BY_DEFINITION = ["iou-below-dice-table2", "iou-below-dice-table1"]

Frame = Callable[..., pd.DataFrame]


def claims_on(*tables: str) -> list[Claim]:
    """Return the claims whose shared selection names only these tables."""
    return [claim for claim in CLAIMS if {*claim.on.get("table", ("none",))} <= {*tables}]


def judged(ours: pd.DataFrame, *ids: str) -> pd.DataFrame:
    """Judge the claims whose names begin so, and return their verdicts by name."""
    return judge([claim for claim in CLAIMS if claim.id.startswith(ids)], ours, OF_PAPER).set_index("claim")


def test_the_papers_own_tables_contradict_seven_claims() -> None:
    verdicts = judge(CLAIMS, NOTHING, OF_PAPER).set_index("claim")
    contradicted = verdicts[verdicts["verdict_published"] == "does not hold"]
    assert dict(contradicted["numbers_published"].str.extract(r"([−\d.]+)", expand=False)) == {
        # Dice 0.1673 and IoU 0.2732 of height slices on LiTS.
        "iou-below-dice-table2": "−0.1059",
        # 3.57 GB / 0.39 GB, and 2.59 GB / 2.35 GB.
        "inference-memory-tenth-brats": "9.154",
        "training-memory-as-onet": "1.102",
        # Uniform sampling on LiTS with 2^15 locations has an IoU of 0.5427.
        "best-count-in-each-strategy": "−0.0718",
        # 0.6154 - 0.5579.
        "larger-patches-lits": "0.0575",
        "memory-somewhat-above-slicing": "2.233",
        "c-significantly-over-slicing": "0.0333",
    }
    ours = verdicts.drop(BY_DEFINITION)
    assert set(ours["verdict"]) == {"not measured"}
    assert ours["numbers"].str.startswith("not run: ").all()


def test_a_corrected_table_changes_the_verdict() -> None:
    table2 = OF_PAPER["table2"].copy()
    height = (table2["dataset"] == "lits") & (table2["model"] == "unet2d-height")
    table2.loc[height, "value"] = table2.loc[height, "value"].to_numpy()[::-1]
    verdicts = judge(claims_on("table2"), NOTHING, {**OF_PAPER, "table2": table2}).set_index("claim")
    assert verdicts.loc["iou-below-dice-table2", "verdict_published"] == "holds"


def test_the_order_of_records_does_not_matter() -> None:
    shuffled = {**OF_PAPER, "table2": OF_PAPER["table2"].sample(frac=1, random_state=0)}
    verdicts, again = (judge(claims_on("table2"), NOTHING, tables) for tables in (OF_PAPER, shuffled))
    pd.testing.assert_series_equal(again["verdict_published"], verdicts["verdict_published"])


@pytest.mark.parametrize("iou", [0.5, 0.9])
def test_what_our_metrics_agree_with_by_definition_has_no_verdict_of_ours(iou: float, records: Frame) -> None:
    assert [claim.id for claim in CLAIMS if claim.by_definition] == BY_DEFINITION
    scores = [records(dict.fromkeys(MODEL_NAMES, (0.7, 0.7, 0.7)), quantity="dice")]
    scores.append(records(dict.fromkeys(MODEL_NAMES, (iou, iou, iou))))
    verdicts = judged(pd.concat(scores, ignore_index=True), *BY_DEFINITION)
    assert set(verdicts["verdict"]) == {"by definition"}
    assert not verdicts["numbers"].str.contains("[0-9]").any()
    assert list(verdicts["verdict_published"]) == ["does not hold", "holds"]


ADDED = {
    "O-Net": 0.5,
    "output skips": 0.55,
    "auxiliary loss": 0.6,
    "patches (OSS-Net A)": 0.703,
    "patches with larger context (OSS-Net B)": 0.7,
    "patches, skips and loss (OSS-Net C)": 0.76,
    "all of them (OSS-Net D)": 0.75,
}
OVER_ONET = ("variants-over-onet", "patches-help")
SINGLE_PARTS = ["auxiliary-loss-helps-brats", "output-skips-help-brats"]
REMOVED = {"OSS-Net C": 0.76, "no patches": 0.6, "no output skips": 0.74, "no auxiliary loss": 0.73}


def ablations_of(changed: Mapping[str, float], records: Frame) -> pd.DataFrame:
    """Make records of the studies of single changes, all with these Dice scores and IoUs but for those changed."""
    return pd.concat(
        [
            records({"a": (value, value - 1e-4, value + 1e-4)}, table=table, dataset=dataset, quantity=quantity)
            .assign(change=change)
            for table, values in (("additions", ADDED), ("ablations", REMOVED))
            for change, value in ((name, changed.get(name, value)) for name, value in values.items())
            for dataset in ("glioma", "liver")
            for quantity in ("dice", "iou")
        ],
        ignore_index=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        ({}, set()),
        ({"patches (OSS-Net A)": 0.67}, {"a-gain-brats", "larger-patches-brats", "larger-patches-lits"}),
        ({"all of them (OSS-Net D)": 0.69}, {*("encoder-helps-brats", "larger-patches-brats", "larger-patches-lits")}),
        ({"O-Net": 0.69}, {"a-gain-brats"}),
        (
            {"O-Net": 0.72},
            {"a-gain-brats", *(f"{claim}-{data}" for claim in OVER_ONET for data in ("brats", "lits"))},
        ),
        ({"no patches": 0.77}, {"patches-help-brats", "patches-help-lits"}),
    ],
)
def test_claims_about_modifications_are_judged_by_the_ablations(
    changed: dict[str, float], failing: set[str], records: Frame
) -> None:
    frame = judge(CLAIMS, ablations_of(changed, records), OF_PAPER).set_index("claim")
    by_ablations = frame["verdict_ablations"][frame["verdict_ablations"] != ""]
    assert len(by_ablations) == 10
    assert set(by_ablations) <= {"holds", "does not hold", "undecided"}
    significant = {"c-significantly-over-onet"} if 0.76 - (ADDED | changed)["O-Net"] < 0.05 else set()
    assert set(by_ablations.index[by_ablations == "does not hold"]) == failing | significant
    # Table 2 was not run.
    assert set(frame["verdict"].drop(SINGLE_PARTS)) == {"not measured", "by definition"}
    one = [entry for entry in frame.loc["a-gain-brats", "comparisons"] if entry["judged_by"] == "ablations"]
    assert [entry["comparison"].startswith("IoU, patches (OSS-Net A) ") for entry in one] == [True]


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        ({}, set()),
        # It holds only if the part helps in both: taken from C, and added to O-Net.
        ({"no auxiliary loss": 0.77}, {"auxiliary-loss-helps-brats"}),
        ({"auxiliary loss": 0.49}, {"auxiliary-loss-helps-brats"}),
        ({"no output skips": 0.77}, {"output-skips-help-brats"}),
        ({"output skips": 0.49, "auxiliary loss": 0.49}, set(SINGLE_PARTS)),
    ],
)
def test_a_part_that_the_paper_shows_only_with_another_is_judged_by_the_ablations_alone(
    changed: dict[str, float], failing: set[str], records: Frame
) -> None:
    frame = judge(CLAIMS, ablations_of(changed, records), OF_PAPER).set_index("claim").loc[SINGLE_PARTS]
    assert set(frame.index[frame["verdict"] == "does not hold"]) == failing
    assert set(frame["verdict"]) <= {"holds", "does not hold"}
    assert set(frame["verdict_published"]) == {"not measured"}


def test_ablations_have_the_changes_that_claims_name() -> None:
    named = {
        (table, change)
        for claim in CLAIMS
        for test in (*claim.tests, *claim.ablations)
        for selection in (test.of, test.to)
        for table in selection.get("table", ())
        for change in selection.get("change", ())
    }
    assert named == {*(("additions", change) for change in ADDED), *(("ablations", change) for change in REMOVED)}
    assert {change for _, change in ADDITIONS.layout.rows} >= set(ADDED)
    assert {change for _, change in ABLATIONS.layout.rows} >= set(REMOVED)


@pytest.fixture(scope="module")
def of_table1(records: Frame) -> Frame:
    def make(dataset: str, iou: Mapping[tuple[str, int], float]) -> pd.DataFrame:
        parts = [
            records({"c": (value, value - 0.001, value + 0.001)}, table="table1", dataset=dataset, quantity=quantity)
            .assign(sampling=sampling, locations=locations, drawn=locations // 64)
            for (sampling, locations), value in iou.items()
            for quantity in ("dice", "iou")
        ]  # fmt: skip
        return pd.concat(parts, ignore_index=True)

    return make


def test_a_sampling_of_our_own_does_not_disturb_the_papers_claims(of_table1: Frame) -> None:
    counts = (8192, 16384, 32768)
    best = {("uniform", n): 0.5 + 0.1 * (n == 16384) for n in counts} | {("border", n): 0.4 for n in counts}
    border_best = {({"uniform": "border", "border": "uniform"}[name], n): value for (name, n), value in best.items()}
    paper_rows = pd.concat([of_table1("glioma", best), of_table1("liver", border_best)], ignore_index=True)
    own = {("confidence", n): 0.9 for n in counts}
    with_own = pd.concat([paper_rows, of_table1("glioma", own), of_table1("liver", own)], ignore_index=True)
    alone, beside = (judge(claims_on("table1"), ours, OF_PAPER) for ours in (paper_rows, with_own))
    pd.testing.assert_frame_equal(alone[VERDICT_COLUMNS], beside[VERDICT_COLUMNS])
    verdicts = beside.set_index("claim")["verdict"]
    for name in ("best-count-overall", "uniform-over-border-brats", "border-over-uniform-lits"):
        assert verdicts[name] == "holds"
    assert "2¹⁴ locations (256 drawn)" in beside.set_index("claim").loc["best-count-overall", "numbers"]


INFERENCES = {"text": ("mise", "paper-prior"), "code": ("released", "released-prior")}


@pytest.mark.parametrize("reading", INFERENCES)
@pytest.mark.parametrize(("percent", "expected"), [(4e-4, "holds"), (0.1, "does not hold")])
def test_a_record_of_the_inferences_disagreement_is_judged(
    percent: float, expected: str, reading: str, records: Frame
) -> None:
    original, improved = INFERENCES[reading]
    where = {"table": "inference", "extraction": improved}
    found = records(
        {"c": (percent, 0.9 * percent, 1.1 * percent)}, quantity=f"disagreement_{original}", unit="%", **where
    )
    recall = records({"c": (0.75, 0.7, 0.8)}, quantity="prior_recall", **where)
    verdicts = judged(pd.concat([found, recall], ignore_index=True), "inferences-disagree-little")
    row = verdicts.loc[f"inferences-disagree-little-{reading}"]
    assert row["verdict"] == expected
    assert row["numbers"] == f"{percent:.4g} %".replace("-", "−")
    assert "Recall of the prior, OSS-Net C" in row["explanation"]
    assert "0.75 [0.7, 0.8]" in row["explanation"]
    assert list(verdicts["verdict"]).count("not measured") == 1


def of_inference(records: Frame, seconds: Callable[[int], float], speed_up: float) -> pd.DataFrame:
    """Runtimes of all inferences, those of the improved ones divided by `speed_up`, and of slicing."""
    runtimes = [
        records({"c": (s, s, s)}, table="figure5", quantity="inference_runtime", unit="s", locations=n, extraction=name)
        for n in (2**power for power in range(8, 18))
        for pair in INFERENCES.values()
        for name, s in zip(pair, (seconds(n), seconds(n) / speed_up), strict=True)
    ]
    of_slices = [
        records({"unet2d-depth": (s, s, s)}, table="figure5", quantity="inference_runtime", unit="s", slices=n)
        for n, s in ((1, 5.0), (32, 2.5))
    ]
    memory = [
        records({"c": (gb, gb, gb)}, table="table3", quantity="inference_memory", unit="GB", locations=n)
        for n, gb in ((2**14, 0.4), (2**17, 2.7))
    ]
    return pd.concat([*runtimes, *of_slices, *memory], ignore_index=True)


OF_RUNTIME = ("improved-inference-twice-as-fast", "runtime-flat", "best-locations", "runtime-brats")


@pytest.mark.parametrize(
    ("seconds", "speed_up", "expected"),
    [
        # 5.2 s, and 8 s with fewer than 2^12 locations.
        (lambda n: 5.2 if n >= 2**12 else 8.0, 2.0, dict.fromkeys([*OF_RUNTIME, "runtime-as-slicing-brats"], "holds")),
        # The more, the faster, and too slow.
        (lambda n: 1e5 / n, 1.5, dict.fromkeys(OF_RUNTIME, "does not hold")),
        # With few as fast as with many.
        (lambda n: 5.2, 2.0, {"runtime-flat": "holds", "best-locations": "does not hold"}),
    ],
)
def test_how_fast_the_inferences_are(
    seconds: Callable[[int], float], speed_up: float, expected: dict[str, str], records: Frame
) -> None:
    verdicts = judged(of_inference(records, seconds, speed_up), *expected, "slicing-runtime-brats")["verdict"]
    for reading in INFERENCES:
        assert {claim: verdicts[f"{claim}-{reading}"] for claim in expected} == expected
    assert verdicts["slicing-runtime-brats"] == "holds"


def test_what_is_missing_says_why_and_what_would_measure_it(records: Frame) -> None:
    failures = pd.DataFrame({
        "table": "table2", "dataset": ["glioma", "liver"], "model": ["d", "c"], "locations": math.nan, "seed": 0,
        "reason": ["OOM", "killed"],
    })  # fmt: skip
    ours = records({"a": (0.7, 0.68, 0.72), "onet": (0.5, 0.49, 0.51)})
    frame = judge(CLAIMS, ours, OF_PAPER, failures, {"training_memory": "needs a GPU"})
    numbers = frame.set_index("claim")["numbers"]
    assert numbers["larger-patches-brats"].startswith("not run: IoU, OSS-Net B on BraTS 2020; and 1 more; ")
    assert numbers["larger-patches-brats"].endswith("run failed (OOM): IoU, OSS-Net D on BraTS 2020")
    assert numbers["c-slightly-short-lits"].endswith("run failed (killed): IoU, OSS-Net C on LiTS")
    asked = "needs a GPU: training memory, 3D residual U-Net on BraTS 2020; and 1 more"
    assert numbers["training-memory-fifth-brats"] == asked
    # Of other tables and in the paper nothing failed.
    assert numbers["uniform-over-border-brats"].startswith("not run: Dice, OSS-Net C, uniform sampling, 2¹³")
    assert not frame["numbers_published"].str.contains("failed|GPU").any()
