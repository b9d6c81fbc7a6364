from dataclasses import replace
from typing import get_args

from benchmarks.probes.published import extractions, paper_batches, published_memory
from benchmarks.studies import successors
from benchmarks.studies.table3 import TABLE3, measured, predicted
from benchmarks.workload import UNetVariant


def test_predictions_are_of_both_implementations_and_of_the_papers_batches() -> None:
    probes = predicted()
    # Of six numbers five variants, and other slices of the two that have any; last the successors.
    assert len(set(probes)) == len(probes) == 2 * 39 + 10 + 14 + 10 + 5 * 6 + 2 + 14
    released = [probe for probe in probes if probe.implementation == "released"]
    assert [replace(probe, implementation="suite") for probe in released] == [n.probe for n in published_memory()]
    assert {*paper_batches(), *extractions()} < set(probes)
    assert {probe.implementation for probe in probes} == {"suite", "lean", "released", *get_args(UNetVariant)}


def test_a_gpu_measures_every_number_and_a_laptop_what_takes_seconds() -> None:
    of_the_paper = set(predicted()) - set(successors.paper_volumes())
    assert set(measured("cuda")) == {probe for probe in of_the_paper if probe.implementation == "suite"}
    on_cpu = measured("cpu")
    assert {probe.model for probe in on_cpu} == {"onet", "a", "b", "c", "d"}
    assert {(probe.dataset, probe.phase, probe.locations) for probe in on_cpu} == {("brats", "inference", 2**14)}


def test_claims_are_judged_by_the_papers_own_numbers() -> None:
    assert TABLE3.evidence() == [number.probe for number in published_memory()]
