"""Peak memory of a workload by its parts, predicted without running it or counted while it runs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from ossnet.memory.accounting import StorageAccount
from ossnet.memory.allocator import CachingAllocator
from ossnet.memory.parts import watched
from ossnet.memory.workload import Step, Workload
from ossnet.model import HOST

Target = Literal["gpu", "cpu"]

INDEXING = (torch.ops.aten.index.Tensor, torch.ops.aten.index_put.default, torch.ops.aten.index_put_.default)


@dataclass(frozen=True)
class Footprint:
    """Peak memory of a step; in training, of a step whose optimiser already has its state.

    Attributes:
        allocated_bytes: peak of the tensors and of the operators' workspaces in blocks of the allocator, as
            `torch.cuda.max_memory_allocated` reports it. It excludes the workspaces of the matrix library, which torch
            allocates at the first matrix product of each thread, and backward passes have a thread of their own:
            8.1 MiB per thread, 32 MiB on Hopper GPUs.
        reserved_bytes: peak including the blocks that the allocator keeps for reuse, as
            `torch.cuda.max_memory_reserved` reports it. It excludes the CUDA context, which belongs to the driver. On a
            CPU no blocks are kept.
        by_part: bytes of `allocated_bytes` by part, largest first: `parameters` (with the batch norms' statistics),
            `gradients` of parameters, `optimizer_state` and `inputs`; tensors that the model's own parts have made (see
            `SegmentationModel.parts`), such as `encoder`, `patch_encoder`, `decoder` or `unet`, `patches` with the
            volumes that they are read from, and `predictions` of all voxels; `octree` for the lattices of an
            extraction; `backward` for gradients of all these; `workspace` of operators; `other`, such as the image at
            half resolution and losses.
    """

    allocated_bytes: int
    reserved_bytes: int
    by_part: Mapping[str, int]


def predict(workload: Workload, target: Target = "gpu", capacity_bytes: float = math.inf) -> Footprint:
    """Predict the footprint on a GPU or a CPU by running the workload's own code on tensors without values.

    It takes about a second at any resolution: of equal parts of the work, such as chunks of locations, one stands for
    all (see `ossnet.network.valueless`).

    Args:
        workload: workload whose footprint is predicted.
        target: kind of device.
        capacity_bytes: memory of a GPU that torch's allocator may use; before the allocator exceeds it, it releases the
            blocks that it keeps for reuse. If `reserved_bytes` exceeds it, the workload does not fit.

    Raises:
        UserError: as in `Workload.prepare`.
    """
    if target == "gpu":
        return count(workload, "meta", capacity_bytes)
    with FakeTensorMode():
        return count(workload, "cpu")


def count(workload: Workload, device: torch.device | str, capacity_bytes: float = math.inf) -> Footprint:
    """Run a workload on a device and count its footprint; every device other than a CPU is counted as a GPU.

    Args:
        workload: workload that is run.
        device: device that it runs on.
        capacity_bytes: memory of a GPU, see `predict`.

    Raises:
        UserError: as in `Workload.prepare`.
    """
    device = torch.device(device)
    return footprint_of(workload.prepare(device), make_account(device, capacity_bytes))


def make_account(device: torch.device, capacity_bytes: float = math.inf) -> StorageAccount:
    """Return an account of a device's memory; on a GPU, torch's allocator may use `capacity_bytes` of it."""
    if device.type == "cpu":
        return StorageAccount(None, unfolded_input, device)
    return StorageAccount(CachingAllocator(capacity_bytes), gpu_workspace, device, elsewhere=HOST)


def footprint_of(step: Step, account: StorageAccount) -> Footprint:
    """Run a step and return its footprint by parts, as an account counts it; the step cannot be run again."""
    model = step.model
    parameters = list(model.parameters())
    if step.extracts:
        step.evaluate = account.part("octree")(step.evaluate)
        model.field = account.part("other")(model.field)  # type: ignore[method-assign]
    step.backward = account.part("backward")(step.backward)
    account.hold([*parameters, *model.buffers()], "parameters")
    account.hold(step.inputs, "inputs")
    if step.host_weights is None:
        account.leave_out(step.host_inputs)
    else:
        account.hold(step.host_inputs, HOST)
    of_optimizer = "optimizer_state" if step.host_weights is None else HOST
    account.hold(step.slow_weights, of_optimizer)
    if step.host_weights is not None:
        step.update = account.part(HOST)(step.update)  # type: ignore[method-assign]
        step.host_weights.fetch = account.part(HOST)(step.host_weights.fetch)
    with watched(model, account.part):
        if model.repeats_passes and step.optimizer is None and step.inputs[0].is_meta:
            # A large volume has hundreds of slices, or of windows, and each takes the same memory.
            for module in model.children():
                module.forward = account.once(module.forward)
        with account:
            for _ in range(1 if step.optimizer is None else 2):
                step()
                account.hold((p.grad for p in parameters if p.grad is not None), "gradients")
                account.hold(_state_tensors(step.optimizer), of_optimizer)
    return Footprint(account.peak_bytes, account.reserved_bytes, account.peak_by_part())


def _state_tensors(optimizer: torch.optim.Optimizer | None) -> Iterator[Tensor]:
    for state in optimizer.state.values() if optimizer is not None else ():
        yield from (value for value in state.values() if isinstance(value, Tensor))


def gpu_workspace(operator: Any, arguments: Sequence[Any], result: Any) -> int:
    """Return the bytes that an operator needs on a GPU in addition to its tensors."""
    if operator is torch.ops.aten.convolution.default:
        return convolution_workspace(arguments, result)
    return copied_indices(arguments[1]) if operator in INDEXING else 0


def copied_indices(indices: Sequence[Tensor | None]) -> int:
    """Return the bytes of the copies that torch's CUDA kernels work on where index tensors differ in their strides.

    Index tensors are broadcast to one shape first: indices of a few hundred places along each axis are copied to the
    size of the whole grid. See `make_info` in torch's `TensorAdvancedIndexing.cpp`.
    """
    broadcast = torch.broadcast_tensors(*(index for index in indices if index is not None))
    if len({index.stride() for index in broadcast}) < 2:
        return 0
    return sum(index.numel() * index.itemsize for index in broadcast if not index.is_contiguous())


def convolution_workspace(arguments: Sequence[Any], result: Tensor) -> int:
    """Return the bytes that the GPU's convolution library needs.

    This is an assumption that explains Table 3, not checked on a GPU. Inference on LiTS at 2^14 locations takes
    1.47-1.53 GB, where the tensors take 1.18-1.23 GB; the peak is in the encoder's first block, whose first convolution
    reads a single channel. Fast kernels read four channels at a time and channels last: where the number of input
    channels is no multiple of four, they are assumed to work on copies of input and output in that layout, the input
    padded to four channels. A kernel of size 1 is a matrix product without copies.
    """
    x, weight = arguments[:2]
    if x.shape[1] % 4 == 0 or math.prod(weight.shape[2:]) == 1:
        return 0
    padded_channels = math.ceil(x.shape[1] / 4) * 4
    return x.nbytes // x.shape[1] * padded_channels + result.nbytes


def unfolded_input(operator: Any, arguments: Sequence[Any], result: Any) -> int:
    """Return the bytes that a CPU's convolution needs where torch finds the work too small for oneDNN.

    It is then a matrix product of an input that is unfolded: every voxel with its neighbourhood. In three dimensions
    the input is also copied if its channels are last. Memory of oneDNN itself, some copies of the weights, is not
    counted: it is below 1 % of a peak, unless a grid is very small.
    """
    forward = operator is torch.ops.aten.convolution.default
    if not forward and operator is not torch.ops.aten.convolution_backward.default:
        return 0
    if forward:
        x, weight, bias, *geometry = arguments
        grid = result.shape[2:]
    else:
        x, weight, _, *geometry, _ = arguments[1:]
        bias, grid = None, arguments[0].shape[2:]
    backend = torch._C._select_conv_backend(x, weight, bias, *geometry, bias_sizes=None).name
    if backend not in ("Slow2d", "Slow3d"):
        return 0
    copied = x.nbytes if backend == "Slow3d" and not x.is_contiguous() else 0
    neighbourhood = math.prod(weight.shape[2:])
    if neighbourhood == 1:
        return copied if forward or backend == "Slow2d" else x.nbytes
    return copied + x.shape[0] * x.shape[1] * neighbourhood * math.prod(grid) * x.itemsize
