"""A contract that every study of memory and time fulfils."""

import pytest

from benchmarks.__main__ import UNNAMED
from benchmarks.probes.ledger import name_of
from benchmarks.report.probe_tables import LAYOUTS
from benchmarks.studies.probe_registry import EFFICIENCY_STUDIES, EfficiencyStudy
from ossnet.inference.extraction import EXTRACTORS
from ossnet.registry import model_names, model_type

every_study = pytest.mark.parametrize("study", EFFICIENCY_STUDIES.values(), ids=EFFICIENCY_STUDIES)


def test_each_has_its_tables_and_can_be_named_on_the_command_line() -> None:
    assert list(EFFICIENCY_STUDIES) == list(LAYOUTS)
    assert set(UNNAMED) < set(EFFICIENCY_STUDIES)


@every_study
def test_only_memory_is_predicted_and_something_is_measured_everywhere(study: EfficiencyStudy) -> None:
    assert {probe.quantity for probe in study.predicted()} <= {"memory"}
    for measured in (study.measured("cpu"), study.measured("cuda")):
        assert measured
        assert {probe.implementation for probe in measured} == {"suite"}
        assert len(set(measured)) == len(measured)


@every_study
def test_every_probe_can_be_asked_and_has_a_name_of_its_own(study: EfficiencyStudy) -> None:
    probes = {*study.predicted(), *study.measured("cpu"), *study.measured("cuda")}
    assert len({name_of(probe) for probe in probes}) == len(probes)
    for probe in probes:
        assert probe.model in model_names()
        assert probe.config.shape == probe.shape
        assert (probe.locations is not None) == model_type(probe.model).evaluates_locations
        assert (probe.extraction is not None) == (probe.phase == "extraction")
        assert probe.extraction is None or probe.extraction in EXTRACTORS
