from collections.abc import Callable, Sequence

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.experiments import estimate
from benchmarks.experiments.estimate import assumed_rate, training_work
from ossnet.errors import UserError
from ossnet.model import Batch, Draw
from ossnet.registry import model_names
from ossnet.training.run import RunSpec

Specs = Callable[..., RunSpec]


def real_operations(spec: RunSpec) -> int:
    """Of a real step with a batch of three cases."""
    shape, n = spec.preprocessing.shape, spec.recipe.sampling.count
    generator = torch.Generator().manual_seed(0)
    locations = torch.stack([torch.randint(size, (3, n), generator=generator) for size in shape], -1)
    model = spec.make_model().train()
    grid = shape if model.slicing is None else model.slicing.grid(shape)
    images, labels = torch.zeros(3, len(spec.modalities), *grid), torch.zeros(3, *grid, dtype=torch.uint8)
    with FlopCounterMode(display=False) as counter:
        model.loss(Batch(images, labels, lambda _: Draw(locations, None)), generator).backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("model", model_names())
def test_the_work_is_that_of_real_steps(model: str, tiny_spec: Specs) -> None:
    spec = tiny_spec(model, changes={"recipe": {"epochs": 1, "batch_size": 3, "steps_per_epoch": 5}})
    assert training_work(spec, 0) == pytest.approx(5 * real_operations(spec))


def test_the_work_of_a_location_by_hand(tiny_spec: Specs) -> None:
    def of(count: int) -> float:
        recipe = {"epochs": 1, "steps_per_epoch": 1, "batch_size": 1, "sampling": {"count": count}}
        return training_work(tiny_spec("onet", changes={"recipe": recipe}), 1)

    # Forward, and backward to weights and to inputs: a multiplication and an addition each, for each weight of the
    # linear maps that a location goes through. The norms' maps are of latents.
    weights = sum(
        layer.weight.numel()
        for name, layer in tiny_spec("onet").make_model().get_submodule("decoder").named_modules()
        if isinstance(layer, torch.nn.Linear) and "norm" not in name
    )
    assert of(3000) - of(1000) == 2000 * 3 * 2 * weights


def test_work_grows_with_cases_epochs_and_steps(tiny_spec: Specs) -> None:
    def of(cases: int, **recipe: int | None) -> float:
        return training_work(tiny_spec("c", changes={"recipe": {"steps_per_epoch": None, "epochs": 1} | recipe}), cases)

    assert of(6) == pytest.approx(3 * of(2))
    assert of(2, epochs=5) == pytest.approx(5 * of(2))
    assert of(6, batch_size=3) == of(6, batch_size=2)
    # Steps count whatever the number of cases.
    assert of(1, steps_per_epoch=4, batch_size=2) == pytest.approx(of(8))


def test_a_step_is_counted_once_for_all_seeds_and_strategies(tiny_spec: Specs, monkeypatch: pytest.MonkeyPatch) -> None:
    first = training_work(tiny_spec("c"), 3)
    monkeypatch.setattr(estimate, "count_flops", None)
    assert training_work(tiny_spec("c", seed=1), 3) == first
    border = {"recipe": {"sampling": {"strategy": "border", "border_width": 5}}}
    assert training_work(tiny_spec("c", changes=border), 3) == first


def test_the_sizes_of_the_paper_take_no_memory_and_nothing_is_drawn(tiny_spec: Specs) -> None:
    before = torch.random.get_rng_state()
    changes = {"preprocessing": {"shape": [512, 512, 512]}, "recipe": {"sampling": {"count": 2**14}}}
    assert training_work(tiny_spec("unet3d", changes=changes), 111) > 1e13
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_wrong_network_is_refused(tiny_spec: Specs) -> None:
    with pytest.raises(UserError, match="decoder_with"):
        training_work(tiny_spec("c", changes={"network": {"decoder_with": 3}}), 1)


def test_the_rate_of_a_cpu_is_a_part_of_its_matrix_product(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def rate(device: str, sizes: Sequence[int]) -> float:
        assert (device, sizes) == ("cpu", [512])
        seen.append(torch.get_num_threads())
        return 1e11

    monkeypatch.setattr(estimate, "matmul_rate", rate)
    before = torch.get_num_threads()
    assert assumed_rate(torch.device("cpu"), 3) == pytest.approx(0.22e11)
    assert seen == [3]
    assert torch.get_num_threads() == before


def test_rates_are_of_a_sensible_size() -> None:
    assert 1e8 < assumed_rate(torch.device("cpu"), 1) < 1e14
    assert assumed_rate(torch.device("cuda"), 1) == estimate.GPU_OPERATIONS_PER_SECOND
