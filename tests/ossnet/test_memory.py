import pytest
import torch

from ossnet.memory import is_out_of_memory


def test_the_cpu_has_no_exception_of_its_own() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, dtype=torch.uint8)
    assert not isinstance(caught.value, torch.OutOfMemoryError)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("full"), RuntimeError("CUDA error: out of memory\nSee ...")]
)
def test_exceptions_made_for_it(error: Exception) -> None:
    assert is_out_of_memory(error)


def test_other_errors_of_torch_are_not_it() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.ones(2) @ torch.ones(3)
    assert not is_out_of_memory(caught.value)
    assert not is_out_of_memory(ValueError("memory"))
