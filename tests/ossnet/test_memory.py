import pytest
import torch

from ossnet.memory import AMBIGUOUS_MESSAGES, is_out_of_memory, may_be_out_of_memory


def test_the_cpu_has_no_exception_of_its_own() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, dtype=torch.uint8)
    assert not isinstance(caught.value, torch.OutOfMemoryError)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("full"),
        RuntimeError("CUDA error: out of memory\nSee ..."),
        RuntimeError("CUDA driver error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    ],
)
def test_exceptions_made_for_it(error: Exception) -> None:
    assert is_out_of_memory(error)


def test_other_errors_of_torch_are_not_it() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.ones(2) @ torch.ones(3)
    assert not is_out_of_memory(caught.value)
    assert not is_out_of_memory(ValueError("memory"))


@pytest.mark.parametrize("message", AMBIGUOUS_MESSAGES)
def test_what_comes_of_a_full_gpu_and_of_other_things_is_told_apart(message: str) -> None:
    error = RuntimeError(f"GET was {message}")
    assert not is_out_of_memory(error)
    assert may_be_out_of_memory(error)
    assert not may_be_out_of_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))
