"""Registry of the kinds of measurements: one file each, and one line here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.runs.run_folder import read_json
from benchmarks.scoring.inference_comparison import InferenceComparison
from benchmarks.scoring.octree_stages import OctreeStages
from benchmarks.scoring.scoring import Scoring
from benchmarks.scoring.segmentation import Segmentation
from benchmarks.scoring.transfer import Transfer
from ossnet.config import build
from ossnet.errors import UserError

SCORINGS: dict[str, type[Scoring]] = {
    "segmentation": Segmentation,
    "inference": InferenceComparison,
    "octree stages": OctreeStages,
    "transfer": Transfer,
}


def read_scoring(folder: Path) -> Scoring:
    """Read the specification in a run's folder.

    Raises:
        UserError: it cannot be read, is damaged, or is of another version of the suite.
    """
    path = folder / "spec.json"
    return build_scoring(read_json(path), str(path))


def build_scoring(values: Mapping[str, Any], source: str) -> Scoring:
    """Make a specification from its plain values.

    Args:
        values: fields of the specification.
        source: origin of the values, for messages.

    Raises:
        UserError: the values are damaged, or are of another version of the suite.
    """
    kind = SCORINGS.get(values.get("measurement", ""))
    if kind is None:
        raise UserError(
            f"{source}: unknown measurement {values.get('measurement')!r}; use the version of the suite that wrote it"
        )
    return build(kind, values, source)
