"""Every kind of measurement: one file each, and one line here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.runs.run_folder import read_json
from benchmarks.scoring.inference_comparison import InferenceComparison
from benchmarks.scoring.octree_stages import OctreeStages
from benchmarks.scoring.scoring import Measurement
from benchmarks.scoring.segmentation import Segmentation
from ossnet.config import build
from ossnet.errors import UserError

MEASUREMENTS: dict[str, type[Measurement]] = {
    "segmentation": Segmentation,
    "inference": InferenceComparison,
    "octree stages": OctreeStages,
}


def read_measurement(folder: Path) -> Measurement:
    """The specification that a run's folder holds; raises as `build_measurement`."""
    path = folder / "spec.json"
    return build_measurement(read_json(path), str(path))


def build_measurement(values: Mapping[str, Any], source: str) -> Measurement:
    """Make a specification from its plain values.

    Args:
        source: where they are from, for messages.

    Raises:
        UserError: it is of another version of the suite, or damaged.
    """
    kind = MEASUREMENTS.get(values.get("measurement", ""))
    if kind is None:
        raise UserError(f"{source}: unknown measurement {values.get('measurement')!r}; it is of another version")
    return build(kind, values, source)
