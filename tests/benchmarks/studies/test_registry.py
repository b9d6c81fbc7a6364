"""Contract of every study."""

import pytest

from benchmarks.names import PUBLISHED
from benchmarks.probes.ledger import name_of
from benchmarks.runs.run_folder import identity
from benchmarks.scoring.registry import SCORINGS
from benchmarks.scoring.segmentation import Segmentation
from benchmarks.studies.registry import STUDIES, find_studies
from benchmarks.study import DeviceType, Study
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.errors import UserError
from ossnet.inference.extraction import EXTRACTORS
from ossnet.registry import model_names, model_type
from ossnet.training.profile import load_profile, profile_names

DEVICE_TYPES: tuple[DeviceType, ...] = ("cpu", "cuda")

LEFT_OUT = {("borders", "released"): [("c", "narrower border"), ("c", "wider border")]}
"""Rows that would be the same training as another one, by study and profile."""

every_study = pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)


@pytest.mark.parametrize("profile", profile_names())
@every_study
def test_a_grid_fills_its_table(study: Study, profile: str, dataset: Dataset) -> None:
    points = study.grid(load_profile(profile))
    rows = [
        tuple((dict(point.columns) | {"model": point.model})[name] for name in study.layout.heads) for point in points
    ]
    assert len(set(zip(rows, (point.seed for point in points), strict=True))) == len(points)
    # Every row of the table that is not left out is run from every seed, and nothing else is.
    rows_to_run = [row for row in study.layout.rows if row not in LEFT_OUT.get((study.name, profile), ())]
    seeds = {point.seed for point in points}
    of_profile = set(load_profile(profile).seeds)
    assert seeds <= of_profile or len(seeds) == 5 > len(of_profile & seeds) == len(of_profile)
    assert len(points) == len(rows_to_run) * len(seeds)
    for row in rows_to_run:
        assert sum(found[: len(row)] == row for found in rows) == len(seeds)


@every_study
def test_a_study_is_found_by_its_name_and_has_something_to_do(study: Study) -> None:
    assert STUDIES[study.name] is study
    assert find_studies([study.name]) == [study]
    assert study.has_points or study.has_probes
    assert study.has_points == bool(study.layout.rows)
    assert not study.has_points or study.scoring in SCORINGS


def test_without_a_name_all_are_found_and_an_unknown_name_is_refused() -> None:
    assert find_studies([]) == list(STUDIES.values())
    assert find_studies(["scaling", "table1"]) == [STUDIES["table1"], STUDIES["scaling"]]
    with pytest.raises(UserError, match="table9"):
        find_studies(["table1", "table9"])


def test_the_papers_numbers_are_there_for_its_tables() -> None:
    assert {path.stem for path in PUBLISHED.glob("*.csv")} <= {*STUDIES}


@every_study
def test_only_memory_is_predicted_and_something_is_measured_everywhere(study: Study) -> None:
    assert {probe.quantity for probe in study.predicted()} <= {"memory"}
    for device_type in DEVICE_TYPES:
        measured = study.measured(device_type)
        # Commands are measured on a CPU only, and trainings among them are lean.
        commands = {probe.quantity for probe in study.measured("cpu")} == {"command"}
        assert bool(measured) == (study.has_probes and not (commands and device_type == "cuda"))
        assert {probe.implementation for probe in measured} <= ({"suite", "lean"} if commands else {"suite"})
        assert len(set(measured)) == len(measured)
    assert {*study.evidence()} <= {*study.measured("cuda")}


@every_study
def test_every_probe_can_be_answered_and_has_a_name_of_its_own(study: Study) -> None:
    probes = {*study.predicted(), *study.measured("cpu"), *study.measured("cuda")}
    assert len({name_of(probe) for probe in probes}) == len(probes)
    for probe in probes:
        assert probe.model in model_names()
        assert probe.quantity == "command" or probe.config.shape == probe.shape
        evaluates = model_type(probe.model).evaluates_locations and probe.phase != "preparation"
        assert (probe.locations is not None) == evaluates
        assert (probe.extraction is not None) == (probe.phase == "extraction")
        assert probe.extraction is None or probe.extraction in EXTRACTORS


def test_the_most_important_is_measured_first_and_with_the_batches_of_the_paper() -> None:
    with_probes = [name for name, study in STUDIES.items() if study.has_probes]
    assert with_probes == ["table3", "figure5", "figure6", "scaling", "whole", "speed", "fullsize"]
    training = [probe for probe in STUDIES["table3"].measured("cuda") if probe.phase == "training"]
    assert {probe.batch_size for probe in training if (probe.model, probe.dataset) == ("c", "brats")} == {1, 8}
    assert {probe.batch_size for probe in training if (probe.model, probe.dataset) == ("c", "lits")} == {1, 4}


def test_an_identity_stays_what_it_is(dataset: Dataset) -> None:
    """Earlier runs are found again, since only the values of a specification enter its identity."""
    spec = plain(Segmentation(load_profile("paper").spec("c", dataset, 1), "mise"))
    spec["training"]["fingerprint"] = ""
    assert identity(spec)[:12] == "26e7ad42704d"
