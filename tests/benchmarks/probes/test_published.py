from dataclasses import replace

from benchmarks.probes.published import (
    BATCH_SIZES,
    UNETS,
    extractions,
    paper_batches,
    published_memory,
    unet_memory,
    unet_probe,
)
from benchmarks.workload import Probe


def test_the_papers_numbers_as_probes() -> None:
    numbers = published_memory()
    assert len(numbers) == 39
    by_probe = {number.probe: number for number in numbers}
    assert len(by_probe) == 39
    unet = Probe("memory", "unet3d", "brats", (256, 256, 160), "training")
    assert by_probe[unet].gigabytes == 14.41
    assert by_probe[Probe("memory", "c", "lits", (512, 512, 512), "inference", 2**17)].gigabytes == 2.35
    assert Probe("memory", "unet3d", "lits", (224, 224, 224), "inference") in by_probe
    (bound,) = (number for number in numbers if number.gigabytes is None)
    assert (bound.probe.model, bound.probe.shape, bound.probe.phase) == ("unet3d", (512, 512, 512), "training")
    assert bound.note.startswith("> 110 GB")


def test_the_papers_u_nets_have_each_number_once() -> None:
    numbers = unet_memory()
    assert [number.gigabytes for number in numbers] == [14.41, 3.57, 1.16, 0.46, 4.29, 1.20]
    depth, width = numbers[2], numbers[4]
    for unets in UNETS:
        assert unet_probe(depth, unets) == replace(depth.probe, implementation=unets)
    assert unet_probe(width, "slices across another axis") == replace(width.probe, implementation="released")


def test_every_model_trains_with_the_papers_batch() -> None:
    batches = {(probe.model, probe.dataset): probe.batch_size for probe in paper_batches()}
    assert len(batches) == 14
    assert batches["c", "brats"] == BATCH_SIZES["brats"]["c"] == 8
    assert batches["onet", "lits"] == 4
    assert batches["unet3d", "lits"] == 2
    assert batches["unet2d-depth", "brats"] == 32
    assert batches["unet2d-width", "lits"] == 12
    # The 3-D U-Net at 512^3, which the paper did not train.
    assert (512, 512, 512) not in {probe.shape for probe in paper_batches() if probe.model == "unet3d"}


def test_the_papers_volumes_are_segmented_in_function_space() -> None:
    segmented = {(probe.model, probe.dataset, probe.locations, probe.extraction) for probe in extractions()}
    assert segmented == {(model, data, 2**14, "mise") for model in ("onet", *"abcd") for data in ("brats", "lits")}
