from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.markup import NOTHING, Cell
from benchmarks.probes.answers import Answers
from benchmarks.probes.records import IDLE_BYTES, ProbeRecord
from benchmarks.report.probe_cells import UNFOLDED, gigabytes, machine_notes, notes, ratio, seconds
from benchmarks.workload import Probe

Record = Callable[..., ProbeRecord]

PROBE = Probe("memory", "c", "brats", (64, 64, 64), "training", 2**8)
TIMED = replace(PROBE, quantity="runtime")


def answers_of(*records: ProbeRecord) -> Answers:
    by_machine: dict[str, dict[Probe, ProbeRecord]] = {}
    for one in records:
        by_machine.setdefault(one.machine, {})[one.probe] = one
    return Answers(by_machine)


def test_numbers_are_in_units_that_people_read(record: Record) -> None:
    timed = record("table3", TIMED, "cpu", seconds=0.125)
    answers = answers_of(record("table3", PROBE, "cpu", 2.594), timed)
    assert gigabytes(answers, "cpu", PROBE) == Cell("2.59")
    assert gigabytes(answers, "cpu", PROBE, "reserved_bytes") == Cell("5.19")
    assert gigabytes(answers, "cpu", PROBE, "process_bytes") == NOTHING
    assert seconds(answers, "cpu", TIMED) == Cell("0.125", detail="[0.0625, 0.25]")
    # A single repeat has no interval.
    once = replace(timed, result={**(timed.result or {}), "low_s": None, "high_s": None})
    assert seconds(answers_of(once), "cpu", TIMED) == Cell("0.125")


@pytest.mark.parametrize("cell_of", [gigabytes, seconds])
def test_what_is_not_known_says_why(cell_of: Callable[..., Cell], record: Record) -> None:
    answers = answers_of(
        record("table3", PROBE, "NVIDIA H100", failure="OOM"), record("table3", PROBE, "cpu", failure="no luck")
    )
    assert cell_of(answers, "NVIDIA H100", PROBE) == Cell("OOM")
    assert cell_of(answers, "cpu", PROBE) == Cell("failed")
    assert cell_of(answers, "GPU", PROBE) == Cell("not measured")
    assert cell_of(answers, "predicted", PROBE) == Cell("not predicted")


def test_a_ratio_needs_both_numbers() -> None:
    assert ratio(3.0, 2.0) == Cell("1.500")
    assert ratio(None, 2.0) == ratio(3.0, None) == ratio(3.0, 0.0) == NOTHING


def test_notes_name_the_cpu_the_reasons_and_the_lack_of_a_gpu(record: Record) -> None:
    no_gpu, cpu, failure = machine_notes(answers_of(record("table3", PROBE, "cpu", failure="no luck")))
    assert "`make gpu`" in no_gpu
    assert (cpu, failure) == ("CPU: a fine CPU, 2 threads", "Failed on CPU: no luck")
    assert machine_notes(answers_of(record("table3", PROBE, "NVIDIA H100", failure="OOM"))) == []


def test_notes_name_every_cpu_and_its_share_of_the_records(record: Record) -> None:
    def made_on(model: str, cpu: str, threads: int) -> ProbeRecord:
        of_model = record("table3", replace(PROBE, model=model), "cpu", 1.0)
        return replace(of_model, provenance={"cpu": {"model": cpu, "torch_threads": threads}})

    two = (made_on("a", "a fine CPU", 8), made_on("b", "a fine CPU", 8))
    *_, cpus = machine_notes(answers_of(made_on("c", "a fine CPU", 2), made_on("d", "an old CPU", 1), *two))
    assert cpus == (
        "CPU: a fine CPU, 8 threads (2 of 4 records); a fine CPU, 2 threads (1 of 4 records); "
        "an old CPU, 1 thread (1 of 4 records)"
    )


def out_of_memory(record: Record, probe: Probe, predicted_gb: float, gpu: object) -> str:
    """Notes where a GPU ran out of memory; an allocator is predicted to hold twice what is predicted of tensors."""
    failed = replace(record("scaling", probe, "NVIDIA H100", failure="OOM"), provenance={"gpu": gpu})
    return notes(machine_notes(answers_of(record("scaling", probe, "predicted", predicted_gb), failed)))


def test_a_prediction_that_fits_where_memory_ran_out_is_remarked_on(record: Record) -> None:
    gpu = {"memory_bytes": 80 * 10**9}
    remark = out_of_memory(record, PROBE, 39.0, gpu)
    assert remark.startswith("Out of memory on NVIDIA H100")
    assert remark.endswith(": memory c brats 64x64x64 training 2⁸.")
    large = Probe("memory", "unet3d", "cube", (512, 512, 512), "training")
    remark = out_of_memory(record, large, 39.0, gpu)
    assert remark.endswith(f": memory unet3d cube 512x512x512 training. {UNFOLDED}.")


def test_a_gpu_that_others_used_is_named_and_an_idle_one_is_not(record: Record) -> None:
    def remarks(used_bytes: int | None) -> list[str]:
        measured = record("scaling", PROBE, "NVIDIA H100", 1.0)
        return machine_notes(answers_of(replace(measured, provenance={"used_bytes": used_bytes})))

    assert remarks(None) == remarks(IDLE_BYTES) == []
    (remark,) = remarks(12_340_000_000)
    assert remark.startswith("NVIDIA H100")
    assert "12.3 GB" in remark


@pytest.mark.parametrize("gpu", [None, {}, {"memory_bytes": 78 * 10**9}])
def test_lack_of_memory_that_was_predicted_or_may_have_been_needs_no_remark(record: Record, gpu: object) -> None:
    assert out_of_memory(record, PROBE, 39.5, gpu) == ""
