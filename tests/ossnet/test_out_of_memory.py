from collections.abc import Callable

import pytest
import torch

from ossnet.out_of_memory import FULL_BYTES, is_out_of_memory, refused_allocations


def test_what_torch_raises_on_the_cpu() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, dtype=torch.uint8)
    assert not isinstance(caught.value, torch.OutOfMemoryError)
    assert is_out_of_memory(caught.value)
    with pytest.raises(RuntimeError) as caught:
        torch.ones(2) @ torch.ones(3)
    assert not is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("full"), True),
        (RuntimeError("CUDA error: out of memory\nSee ..."), True),
        (RuntimeError("CUDA driver error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), True),
        (ValueError("memory"), False),
    ],
)
def test_an_error_is_recognised_by_its_type_or_message(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) == expected


AMBIGUOUS = [
    "GET was unable to find an engine to execute this computation",
    "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Put a GPU there that has so many bytes free and has refused memory so often."""

    def install(free_bytes: int, refused: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
        monkeypatch.setattr(torch.cuda, "memory_stats", lambda: {"num_ooms": refused})
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free_bytes, 2**36))

    return install


@pytest.mark.parametrize("message", AMBIGUOUS)
def test_what_comes_of_a_full_gpu_and_of_other_things_is_told_by_the_gpu(
    message: str, gpu: Callable[[int, int], None]
) -> None:
    error = RuntimeError(message)
    assert not is_out_of_memory(error)
    gpu(FULL_BYTES, 2)
    assert not is_out_of_memory(error, refused_before=2)
    assert is_out_of_memory(error, refused_before=1)
    gpu(FULL_BYTES - 1, 2)
    assert is_out_of_memory(error, refused_before=2)
    assert not is_out_of_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))


def test_a_gpu_that_is_lost_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost() -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "memory_stats", lost)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lost)
    assert refused_allocations() == 0
    assert not is_out_of_memory(RuntimeError(AMBIGUOUS[0]))
