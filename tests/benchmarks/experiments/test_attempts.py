import json
from pathlib import Path
from typing import Any

import torch

from benchmarks.experiments.attempts import Attempt


def read(folder: Path) -> Any:
    return json.loads((folder / "provenance.json").read_text())


def test_every_attempt_is_on_record_from_its_beginning(tmp_path: Path) -> None:
    first = Attempt(tmp_path, "make", torch.device("cpu"))
    begun = read(tmp_path)
    assert [attempt["command"] for attempt in begun["attempts"]] == ["make"]
    assert begun["timing"] == {}
    first.record({"training_s": 2.0}, {"resident_bytes": 20, "allocated_bytes": 7})
    # It is killed now; the next goes on.
    half = read(tmp_path)
    assert half["timing"] == {"training_s": 2.0}
    assert half["seconds"] >= begun["seconds"]
    Attempt(tmp_path, "make again", torch.device("cpu")).record(
        {"training_s": 5.0}, {"resident_bytes": 30, "allocated_bytes": 5}
    )
    both = read(tmp_path)
    assert both["attempts"][0] == half["attempts"][0]
    assert both["attempts"][1]["command"] == "make again"
    assert both["seconds"] == sum(attempt["seconds"] for attempt in both["attempts"])
    assert both["timing"] == {"training_s": 5.0}
    assert both["memory"] == {"resident_bytes": 30, "allocated_bytes": 7}
