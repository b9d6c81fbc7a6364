"""Records of memory and time without anything being run."""

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.efficiency.probe import Probe
from benchmarks.efficiency.records import ProbeRecord

PROVENANCE = {"cpu": {"model": "a fine CPU", "torch_threads": 2}}

Record = Callable[..., ProbeRecord]


@pytest.fixture
def record() -> Record:
    """Make a record: of memory in whole GB, the decoder taking all but a quarter, or of seconds; or of a failure."""

    def make(
        study: str,
        probe: Probe,
        machine: str,
        gigabytes: float | None = None,
        seconds: float | None = None,
        failure: str | None = None,
    ) -> ProbeRecord:
        result: dict[str, Any] | None = None
        if gigabytes is not None:
            taken = round(gigabytes * 10**9)
            parts = {"decoder": 3 * taken // 4, "parameters": taken // 4}
            result = {"allocated_bytes": taken, "reserved_bytes": 2 * taken, "by_part": parts}
        if seconds is not None:
            result = {"seconds": [seconds] * 3, "median_s": seconds, "low_s": seconds / 2, "high_s": 2 * seconds}
            stages = {"encoder": 0.1, "gather": 0.2, "decoder": 0.3, "bookkeeping": 0.4}
            result |= {"stages": stages, "evaluated": [1000, 500], "locations_per_s": 750.0, "matmul_share": 0.25}
        return ProbeRecord(study, probe, machine, result, failure, PROVENANCE)

    return make
