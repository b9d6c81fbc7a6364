from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks.measurement import Job, Outcome, folder_of
from benchmarks.runs import identity
from benchmarks.study import Point
from ossnet.data.case import Dataset
from ossnet.profile import Profile


@dataclass(frozen=True)
class Colour:
    """The smallest measurement that there is."""

    seed: int
    measurement: str = "colour"

    @classmethod
    def of(cls, point: Point, profile: Profile, dataset: Dataset) -> "Colour":
        return cls(point.seed)

    @property
    def label(self) -> str:
        return f"own-colour-seed{self.seed}"

    @property
    def epochs(self) -> int:
        return 1

    def work(self, dataset: Dataset) -> float:
        return 0.0

    def measure(self, job: Job, folder: Path, device: torch.device) -> Outcome:
        return Outcome({"colour": "red"}, {})


def test_a_folder_is_named_for_people_and_by_its_identity(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, Colour(3))
    assert folder == tmp_path / f"own-colour-seed3-{identity({'seed': 3, 'measurement': 'colour'})[:12]}"
    assert folder_of(tmp_path / "elsewhere", Colour(3)).name == folder.name


def test_whatever_differs_has_a_folder_of_its_own(tmp_path: Path) -> None:
    measurements = [Colour(3), Colour(4), replace(Colour(3), measurement="shade")]
    assert len({folder_of(tmp_path, one) for one in measurements}) == len(measurements)
