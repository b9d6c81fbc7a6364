"""The account of storages, on tensors whose sizes can be added up by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ossnet.memory.accounting import StorageAccount
from ossnet.memory.allocator import BLOCK_BYTES, MIB, CachingAllocator

DEVICES = pytest.mark.parametrize("device", ["meta", "cpu"])
CAT = torch.ops.aten.cat.default
KIB = 256
"""Float32 elements in 1024 bytes."""


@DEVICES
def test_a_storage_counts_until_its_last_tensor_is_gone(device: str) -> None:
    with StorageAccount() as account:
        a = torch.zeros(4 * KIB, device=device)
        b = a + 1
        view = a.view(2, -1)[0]
        del a
        assert account.live_bytes == 8 * 1024
        del view
        assert account.live_bytes == 4 * 1024
        del b
    assert account.live_bytes == 0
    assert account.peak_bytes == 8 * 1024


@DEVICES
def test_in_place_results_and_views_share_a_storage(device: str) -> None:
    with StorageAccount() as account:
        a = torch.zeros(KIB, device=device)
        a.mul_(2).view(16, 16).t().add_(1)
    assert account.peak_bytes == 1024


@given(st.integers(0, 2000))
def test_sizes_are_exact_or_rounded_up_to_blocks(elements: int) -> None:
    with StorageAccount() as exact, StorageAccount(CachingAllocator()) as rounded:
        tensor = torch.zeros(elements, device="meta")
    assert exact.peak_bytes == exact.reserved_bytes == tensor.nbytes
    assert rounded.peak_bytes % BLOCK_BYTES == 0
    assert 0 <= rounded.peak_bytes - tensor.nbytes < BLOCK_BYTES


def test_an_allocator_keeps_what_is_freed() -> None:
    with StorageAccount(CachingAllocator()) as account:
        for _ in range(3):
            torch.zeros(40 * MIB // 4, device="meta")
        torch.zeros(24 * MIB // 4, device="meta")
    assert account.live_bytes == 0
    assert account.peak_bytes == account.reserved_bytes == 40 * MIB


def test_tensors_elsewhere_do_not_count() -> None:
    with StorageAccount(device=torch.device("meta")) as account:
        elsewhere = torch.zeros(KIB)
        account.hold([elsewhere], "inputs")
        here = torch.zeros(KIB, device="meta")
    assert account.peak_by_part() == {"other": here.nbytes}


def test_the_peak_is_split_into_parts() -> None:
    outside = torch.zeros(KIB, device="meta")
    account = StorageAccount()
    account.hold([outside], "inputs")
    with account:
        with account.part("first"):
            a = outside * 2
            with account.part("inner"):
                b = torch.cat([a, a])
        c = a + 1
        account.hold([c], "renamed")
        del a, b
        torch.zeros(KIB, device="meta")
    # outside, a, b of twice the size, and c, which took its name after the peak.
    assert account.peak_by_part() == {"inner": 2048, "inputs": 1024, "first": 1024, "renamed": 1024}
    assert sum(account.peak_by_part().values()) == account.peak_bytes


def test_a_tensor_is_held_once() -> None:
    account = StorageAccount()
    tensor = torch.zeros(KIB, device="meta")
    account.hold([tensor, tensor.view(2, -1)], "a")
    account.hold([tensor], "b")
    assert account.peak_by_part() == {"b": 1024}


def test_a_workspace_lasts_as_long_as_its_operator() -> None:
    with StorageAccount(workspace=lambda operator, *_: 5120 * (operator is torch.ops.aten.mul.Tensor)) as account:
        a = torch.zeros(KIB, device="meta")
        b = a * a
        assert account.live_bytes == 2048
        del a, b
    assert account.peak_by_part() == {"workspace": 5120, "other": 2048}


def test_once_takes_the_same_without_evaluating_again() -> None:
    def make(once: bool) -> tuple[StorageAccount, int]:
        calls = 0

        def function(x: torch.Tensor) -> torch.Tensor:
            nonlocal calls
            calls += 1
            wide = torch.cat([x, x, x])
            return wide[: len(x)] * 2

        outputs = []
        with StorageAccount(CachingAllocator(), lambda operator, *_: 2**21 * (operator is CAT)) as account:
            evaluate = account.once(function) if once else function
            for length in (KIB, 2**20, KIB, 2**20, 2**20):
                outputs.append(evaluate(torch.zeros(length, device="meta")))
        return account, calls

    (real, real_calls), (replayed, replayed_calls) = make(once=False), make(once=True)
    assert (real_calls, replayed_calls) == (5, 2)
    assert replayed.peak_by_part() == real.peak_by_part()
    assert replayed.reserved_bytes == real.reserved_bytes


def test_backward_keeps_what_autograd_saved() -> None:
    x = torch.zeros(KIB, device="meta", requires_grad=True)
    with StorageAccount() as account:
        y = x.exp().exp().sum()
        # Each exponential keeps its own result; the sum is one number.
        assert account.live_bytes == 2 * 1024 + 4
        y.backward()
        del y
        # The gradient of x is all that is left.
        assert account.live_bytes == 1024


def test_what_stands_for_host_memory_does_not_count_until_it_is_copied_to_the_device() -> None:
    host = torch.zeros(1, KIB, device="meta")
    index = torch.zeros(KIB, dtype=torch.int64, device="meta")
    account = StorageAccount()
    account.hold([index], "inputs")
    account.leave_out([host])
    with account:
        view, more = host[0], host * 2
        gathered = more[0, index].add_(1)
        assert account.live_bytes == index.nbytes
        there = torch.empty(KIB, device="meta").copy_(gathered)
        assert account.live_bytes == index.nbytes + 1024
        result = there + 1
        assert account.live_bytes == index.nbytes + 2048
        del view, more, gathered, there, result
    assert account.live_bytes == index.nbytes
