"""Names of models and data sets in tables, figures and claims, and the files of the paper's and our own numbers."""

from pathlib import Path

import pandas as pd

from ossnet.errors import UserError

_IN_PACKAGE = Path(__file__).resolve().parent / "results"

RESULTS = _IN_PACKAGE if (_IN_PACKAGE / "published").is_dir() else _IN_PACKAGE.parents[1] / "results"
"""The results that come with the suite: in the wheel part of this package (see `setup.py`), in a checkout beside it."""

PUBLISHED = RESULTS / "published"
"""The paper's numbers, one CSV file per table, and its claims."""

PUBLISHED_COLUMNS = ["table", "dataset", "model", "quantity", "value", "unit", "note", "source"]
"""Columns that the tables of the paper's numbers have in common."""

REFERENCE = RESULTS / "reference"
"""The committed records of the suite and their tables; in a checkout also their figures."""

MODEL_NAMES = {
    "unet3d": "3D residual U-Net",
    "unet2d-height": "2D residual U-Net, height slices",
    "unet2d-width": "2D residual U-Net, width slices",
    "unet2d-depth": "2D residual U-Net, depth slices",
    "onet": "O-Net",
    "a": "OSS-Net A",
    "b": "OSS-Net B",
    "c": "OSS-Net C",
    "d": "OSS-Net D",
}
"""The suite's models by their names in the paper, in the order of its Table 2."""

SUCCESSOR_NAMES = {"iosnet": "IOSNet", "hnoseg-xs": "HNOSeg-XS", "segresnet": "SegResNet (MONAI)"}
"""Later models than the paper's, which its tables do not have: see `benchmarks.studies.successors`."""

KNOWN_NAMES = MODEL_NAMES | SUCCESSOR_NAMES
"""All models that have a published name; for others see `model_name`."""

PAPER_NAMES = {"brats": "BraTS 2020", "lits": "LiTS"}
"""The paper's data sets as it names them."""

STAND_INS = {"glioma": "BraTS 2020", "liver": "LiTS"}
"""Maps an embedded data set to the data set of the paper that it stands in for."""

GROUP = ["dataset", "profile", "protocol"]
"""Columns that no number is averaged over: each combination of their values has a table of its own."""

OF_THE_PAPER = {"dice", "iou"}
"""Quantities that the paper reports, and tables therefore show in more detail."""


def model_name(model: str) -> str:
    """Return a model's name as it was published; a model that is not of the suite keeps its own name."""
    return KNOWN_NAMES.get(model, model)


def source_text(dataset: str, profile: str, protocol: str) -> str:
    """Return the words of a caption on the origin of scores; an empty protocol is left out."""
    stand_in = f" (synthetic, stands in for {STAND_INS[dataset]})" if dataset in STAND_INS else ""
    return f"Data set {dataset}{stand_in}, profile {profile}" + (f", protocol {protocol}" if protocol else "")


def read_published(folder: str | Path, table: str) -> pd.DataFrame:
    """Read the paper's numbers of a table, one row per number, from `folder/TABLE.csv`.

    A table without such a file is not in the paper: it has no rows, and only the columns that all tables have.

    Args:
        folder: the folder of the published numbers.
        table: name of the table, which is that of its study, such as `table1`.

    Raises:
        UserError: there is no such folder.
    """
    if not Path(folder).is_dir():
        raise UserError(f"cannot find the published numbers: {folder} is no folder")
    path = Path(folder) / f"{table}.csv"
    if not path.is_file():
        return pd.DataFrame(columns=PUBLISHED_COLUMNS).astype({"value": float})
    return pd.read_csv(path, dtype={"unit": str, "note": str}).fillna({"unit": "", "note": ""})
