"""The paper's numbers as data files: complete, and as printed."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.names import MODEL_NAMES, read_published
from ossnet.errors import UserError

FOLDER = Path(__file__).parents[2] / "results" / "published"


def value(table: pd.DataFrame, **where: object) -> float:
    rows = table
    for column, wanted in where.items():
        rows = rows[rows[column] == wanted]
    assert len(rows) == 1
    return rows["value"].item()


@pytest.mark.parametrize(
    ("table", "rows", "settings"),
    [
        # 6 strategies, 2 data sets, 2 quantities.
        ("table1", 6 * 2 * 2, ["sampling", "locations"]),
        # 9 models, 2 data sets, 2 quantities.
        ("table2", 9 * 2 * 2, []),
        # 5 function space models with 3 numbers and 2 U-Nets with 2 on 2 data sets, and the 110 GB of a footnote.
        ("table3", (5 * 3 + 2 * 2) * 2 + 1, ["resolution", "locations"]),
    ],
)
def test_every_number_is_there_once(table: str, rows: int, settings: list[str]) -> None:
    published = read_published(FOLDER, table)
    keys = ["table", "dataset", "model", *settings, "quantity"]
    assert list(published) == [*keys, "value", "unit", "note", "source"]
    assert len(published) == rows
    assert not published.duplicated(keys).any()
    assert set(published["table"]) == {table}
    assert set(published["dataset"]) == {"brats", "lits"}
    assert set(published["model"]) <= set(MODEL_NAMES)
    assert published["source"].str.contains(f"Table {table[-1]}").all()
    assert (published.loc[published["value"].isna(), "note"] != "").all()


def test_values_by_hand() -> None:
    table1, table2, table3 = (read_published(FOLDER, table) for table in ("table1", "table2", "table3"))
    assert value(table1, dataset="lits", sampling="border", locations=2**15, quantity="iou") == 0.6105
    assert value(table1, dataset="brats", sampling="uniform", locations=2**13, quantity="dice") == 0.8816
    assert value(table2, dataset="brats", model="unet3d", quantity="iou") == 0.7995
    # The stars of the table and the orientations of its footnotes.
    assert value(table2, dataset="brats", model="unet2d-depth", quantity="dice") == 0.8589
    assert value(table2, dataset="brats", model="unet2d-height", quantity="dice") == 0.8360
    assert value(table2, dataset="lits", model="unet2d-width", quantity="iou") == 0.5233
    where = {"dataset": "brats", "quantity": "inference_memory"}
    assert value(table3, **where, model="b", locations=2**17) == 3.45
    assert value(table3, **where, model="unet3d") == 3.57
    where = {"dataset": "lits", "quantity": "training_memory"}
    assert value(table3, **where, model="unet2d-width") == 4.29
    assert value(table3, **where, model="unet3d", resolution="224x224x224") == 14.41
    assert set(table3["unit"]) == {"GB"}


def test_what_the_footnotes_say_without_a_number() -> None:
    table2, table3 = read_published(FOLDER, "table2"), read_published(FOLDER, "table3")
    failed = table2[table2["value"].isna()]
    assert list(zip(failed["dataset"], failed["model"], failed["note"], strict=True)) == [
        ("lits", "unet2d-depth", "did not converge")
    ] * len(failed)
    (unmeasured,) = table3[table3["value"].isna()].itertuples()
    assert (unmeasured.model, unmeasured.resolution) == ("unet3d", "512x512x512")
    assert "> 110 GB" in unmeasured.note


def test_tables_1_and_2_agree_on_variant_c() -> None:
    table1, table2 = read_published(FOLDER, "table1"), read_published(FOLDER, "table2")
    for dataset, sampling in (("brats", "uniform"), ("lits", "border")):
        for quantity in ("dice", "iou"):
            row = {"dataset": dataset, "model": "c", "quantity": quantity}
            assert value(table1, **row, sampling=sampling, locations=2**14) == value(table2, **row)


def test_iou_is_at_most_dice_but_for_the_contradiction_as_printed() -> None:
    contradictions = []
    for name, keys in (("table1", ["dataset", "sampling", "locations"]), ("table2", ["dataset", "model"])):
        table = read_published(FOLDER, name)
        scores = table.pivot_table(index=keys, columns="quantity", values="value")
        contradictions += list(scores.index[scores["iou"] > scores["dice"]])
    assert contradictions == [("lits", "unet2d-height")]
    table2 = read_published(FOLDER, "table2")
    printed = table2[(table2["dataset"] == "lits") & (table2["model"] == "unet2d-height")]
    assert dict(zip(printed["quantity"], printed["value"], strict=True)) == {"dice": 0.1673, "iou": 0.2732}
    assert printed["note"].str.contains("as printed").all()


def test_a_table_that_is_not_in_the_paper_has_no_numbers_and_a_missing_folder_is_named(tmp_path: Path) -> None:
    published = read_published(tmp_path, "table9")
    assert published.empty
    assert published["value"].dtype == float
    assert list(published) == [name for name in read_published(FOLDER, "table2") if name in published]
    with pytest.raises(UserError, match="nowhere is no folder"):
        read_published(tmp_path / "nowhere", "table1")
