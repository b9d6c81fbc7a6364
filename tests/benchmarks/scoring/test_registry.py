"""A contract that every kind of measurement fulfils."""

import json
from pathlib import Path

import pytest

from benchmarks.runs.run_folder import identity
from benchmarks.scoring.registry import SCORINGS, read_scoring
from benchmarks.studies.registry import STUDIES
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.errors import UserError
from ossnet.training.profile import load_profile


@pytest.mark.parametrize("name", SCORINGS)
def test_a_specification_is_read_back_from_its_folder(name: str, dataset: Dataset, tmp_path: Path) -> None:
    profile = load_profile("laptop")
    # A kind that no study has takes the points of Table 2.
    with_points = [study for study in STUDIES.values() if study.has_points and study.scoring == name]
    study = with_points[0] if with_points else STUDIES["table2"]
    for point in study.grid(profile):
        scoring = SCORINGS[name].of(point, profile, dataset)
        values = plain(scoring)
        assert values["measurement"] == name
        assert values["schema_version"] >= 1
        (tmp_path / "spec.json").write_text(json.dumps(values))
        assert read_scoring(tmp_path) == scoring
        assert identity(plain(read_scoring(tmp_path))) == identity(values)


@pytest.mark.parametrize("name", SCORINGS)
def test_a_specification_with_a_field_too_many_or_too_few_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps({"measurement": name, "colour": "red"}))
    with pytest.raises(UserError, match=r"spec\.json: .*colour: unknown field") as caught:
        read_scoring(tmp_path)
    assert "\n" not in str(caught.value)
