from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.runs.run_folder import identity
from benchmarks.scoring.scoring import Outcome, folder_of, training_folder
from benchmarks.study import Point
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.data.splits import Split
from ossnet.model import SegmentationModel
from ossnet.training.profile import Profile
from ossnet.training.run import RunSpec


@dataclass(frozen=True)
class Colour:
    """Smallest possible scoring."""

    training: RunSpec
    shade: str = "dark"
    measurement: str = "colour"

    @classmethod
    def of(cls, point: Point, profile: Profile, dataset: Dataset) -> "Colour":
        return cls(profile.spec(point.model, dataset, point.seed))

    def split_of(self, dataset: Dataset) -> Split:
        return "test"

    def score(self, model: SegmentationModel, dataset: Dataset, cache: Path, folder: Path) -> Outcome:
        return Outcome({"colour": "red"}, {})


Specs = Callable[..., RunSpec]


def test_a_folder_is_named_for_people_and_by_its_identity(tiny_spec: Specs, tmp_path: Path) -> None:
    spec = tiny_spec("c", seed=3)
    folder = folder_of(tmp_path, Colour(spec))
    values = {"training": plain(spec), "shade": "dark", "measurement": "colour"}
    assert folder == tmp_path / "runs" / f"own-c-seed3-{identity(values)[:12]}"
    assert folder_of(tmp_path / "elsewhere", Colour(spec)).name == folder.name
    assert training_folder(tmp_path, spec) == tmp_path / "trainings" / f"own-c-seed3-{spec.identity[:12]}"


def test_whatever_differs_has_a_folder_of_its_own(tiny_spec: Specs, tmp_path: Path) -> None:
    spec = tiny_spec("c")
    measurements = [Colour(spec), Colour(tiny_spec("c", seed=1)), Colour(spec, "light")]
    assert len({folder_of(tmp_path, scoring) for scoring in measurements}) == len(measurements)
    # Only another training has another folder for that.
    assert len({training_folder(tmp_path, scoring.training) for scoring in measurements}) == 2
