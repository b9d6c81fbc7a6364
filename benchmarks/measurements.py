"""Every kind of measurement: one file each, and one line here."""

from pathlib import Path

from benchmarks.inference_comparison import InferenceComparison
from benchmarks.measurement import Measurement
from benchmarks.runs import read_json
from benchmarks.segmentation import Segmentation
from ossnet.config import build
from ossnet.errors import UserError

MEASUREMENTS: dict[str, type[Measurement]] = {"segmentation": Segmentation, "inference": InferenceComparison}


def read_measurement(folder: Path) -> Measurement:
    """The specification that a run's folder holds.

    Raises:
        UserError: it is of another version of the suite, or damaged.
    """
    path = folder / "spec.json"
    values = read_json(path)
    kind = MEASUREMENTS.get(values.get("measurement"))
    if kind is None:
        raise UserError(f"{path}: unknown measurement {values.get('measurement')!r}; it is of another version")
    return build(kind, values, str(path))
