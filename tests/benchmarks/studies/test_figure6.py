from benchmarks.studies.figure6 import measured, predicted
from benchmarks.studies.table3 import published_gigabytes


def test_one_pass_of_both_models_at_every_number_of_locations() -> None:
    probes = [probe for probe in predicted() if probe.implementation == "suite"]
    assert len(set(predicted())) == len(predicted()) == 2 * len(probes)
    assert probes == measured("cuda")
    assert {(probe.model, probe.locations) for probe in probes} == {
        (model, 2**power) for model in ("onet", "c") for power in range(8, 19)
    }
    assert set(measured("cpu")) < set(probes)


def test_table_3_has_four_of_its_points() -> None:
    paper = published_gigabytes()
    known = {
        (probe.model, probe.locations): paper[probe]
        for probe in predicted()
        if probe.implementation == "suite" and probe in paper
    }
    assert known == {("onet", 2**14): 0.29, ("onet", 2**17): 1.93, ("c", 2**14): 0.39, ("c", 2**17): 2.73}
