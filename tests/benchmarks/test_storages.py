"""The account of storages, on tensors whose sizes can be added up by hand."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from benchmarks.storages import GPU_BLOCK_BYTES, StorageAccount

DEVICES = pytest.mark.parametrize("device", ["meta", "cpu"])
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
def test_sizes_are_rounded_up_to_blocks(elements: int) -> None:
    with StorageAccount() as account:
        tensor = torch.zeros(elements, device="meta")
    assert account.peak_bytes % GPU_BLOCK_BYTES == 0
    assert 0 <= account.peak_bytes - tensor.nbytes < GPU_BLOCK_BYTES


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
    with StorageAccount(lambda operator, *_: 5120 if operator is torch.ops.aten.mul.Tensor else 0) as account:
        a = torch.zeros(KIB, device="meta")
        b = a * a
        assert account.live_bytes == 2048
        del a, b
    assert account.peak_by_part() == {"workspace": 5120, "other": 2048}


def test_backward_keeps_what_autograd_saved() -> None:
    x = torch.zeros(KIB, device="meta", requires_grad=True)
    with StorageAccount() as account:
        y = x.exp().exp().sum()
        # Each exponential keeps its own result; the sum takes one block.
        assert account.live_bytes == 2 * 1024 + 512
        y.backward()
        del y
        # The gradient of x is all that is left.
        assert account.live_bytes == 1024


@pytest.mark.filterwarnings("ignore:.*[Pp]rofiler.*")
def test_agrees_with_the_profiler(tmp_path: Path) -> None:
    def step() -> None:
        layers = nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1))
        layers(torch.zeros(4096, 64)).mean().backward()

    with StorageAccount() as account:
        step()
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(profile_memory=True, activities=activities) as profile:
        step()
    profile.export_chrome_trace(str(tmp_path / "trace.json"))
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    live = peak = 0
    for event in events:
        if event["name"] == "[memory]":
            live += event["args"]["Bytes"]
            peak = max(peak, live)
    assert account.peak_bytes == pytest.approx(peak, rel=0.01)
