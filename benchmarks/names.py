"""Names of models and data sets, and the paper's numbers: what every table, figure and claim calls them by."""

from pathlib import Path

import pandas as pd

from ossnet.errors import UserError

RESULTS = Path(__file__).resolve().parents[1] / "results"
PUBLISHED = RESULTS / "published"
"""The paper's numbers, one CSV file per table, and its claims."""

REFERENCE = RESULTS / "reference"
"""The committed records of the suite, their tables and figures."""

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

PAPER_DATASETS = {"glioma": "brats", "brats2020": "brats", "liver": "lits"}
"""Data sets to the one whose published numbers are set beside theirs, where the names differ."""

STAND_INS = {"glioma": "BraTS 2020", "liver": "LiTS"}
"""The embedded data sets, and what each stands in for."""

DATASET_NAMES = {PAPER_DATASETS[name]: paper for name, paper in STAND_INS.items()}
"""The paper's data sets by their names in the paper."""

GROUP = ["dataset", "profile", "protocol"]
"""What no number is ever averaged over: each has a table of its own."""

OF_THE_PAPER = {"dice", "iou"}
"""What the paper reports, and tables therefore show in more detail."""


def source_text(dataset: str, profile: str, protocol: str) -> str:
    """What a caption says of the scores' origin; the protocol may be empty."""
    stand_in = f" (synthetic, stands in for {STAND_INS[dataset]})" if dataset in STAND_INS else ""
    return f"Data set {dataset}{stand_in}, profile {profile}" + (f", protocol {protocol}" if protocol else "")


def read_published(folder: str | Path, table: str) -> pd.DataFrame:
    """The paper's numbers of `table` (`table1`, `table2` or `table3`), one row a number, from `folder/TABLE.csv`.

    Raises:
        UserError: there is no such file.
    """
    path = Path(folder) / f"{table}.csv"
    if not path.is_file():
        raise UserError(f"cannot find the published numbers {path}; give the folder that holds them")
    return pd.read_csv(path, dtype={"unit": str, "note": str}).fillna({"unit": "", "note": ""})
