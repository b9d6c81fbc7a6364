import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ossnet.network import chunks
from ossnet.network.chunks import GPU_BYTES, TRIALS, ChunkSize


class Clock:
    """A clock that is moved by hand."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@given(st.integers(0, 300), st.integers(1, 40))
def test_chunks_are_all_locations_in_order_and_of_about_one_size(count: int, size: int) -> None:
    locations = torch.arange(3 * count).view(count, 3)
    parts = list(ChunkSize([size]).split(locations))
    assert torch.equal(torch.cat([locations[:0], *(part for _, part in parts)]), locations)
    assert all(torch.equal(locations[chunk], part) for chunk, part in parts)
    lengths = [len(part) for _, part in parts]
    assert max(lengths, default=0) <= size
    assert not lengths or max(lengths) - min(lengths) <= 1


def test_the_fastest_size_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(chunks, "time", clock)
    sizes = ChunkSize([10, 40, 20])
    assert sizes.largest == 40
    seen = []
    # The first nine chunks take 210 of 1410 locations, which chunks of 20 divide.
    for _, part in sizes.split(torch.zeros(210 + 1200, 3)):
        seen.append(len(part))
        # 10 takes 1 s per location, 20 half of that, 40 again more; the first of each is slow.
        clock.now += {10: 10, 20: 10, 40: 50}[len(part)] + 100 * (len(seen) <= 3)
    # One after the other, in the order given.
    assert seen[: 3 * TRIALS] == [10, 40, 20] * TRIALS
    assert set(seen[3 * TRIALS :]) == {20}
    assert sizes.size == 20


def test_small_passes_decide_nothing() -> None:
    sizes = ChunkSize([10, 20])
    for _ in range(10):
        assert [len(part) for _, part in sizes.split(torch.zeros(7, 3))] == [7]
    assert sizes.size == 10


def test_without_values_a_chunk_of_the_largest_size_stands_for_all() -> None:
    parts = list(ChunkSize([10, 20]).split(torch.zeros(95, 3, device="meta")))
    assert [(chunk.start, len(part)) for chunk, part in parts] == [(0, 20)]


def test_a_process_chooses_once_for_networks_of_one_width() -> None:
    cpu = torch.device("cpu")
    assert ChunkSize.of(cpu, 1000, 4) is ChunkSize.of(cpu, 1000, 4)
    assert ChunkSize.of(cpu, 1000, 4) is not ChunkSize.of(cpu, 1001, 4)


@pytest.mark.parametrize("values", [1, 3000, 5486, 10**9])
def test_on_a_gpu_memory_is_bounded(values: int) -> None:
    size = ChunkSize.of(torch.device("meta"), values, 4).size
    assert size == 1 or GPU_BYTES / 2 < size * values * 4 <= GPU_BYTES
