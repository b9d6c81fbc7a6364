"""An evaluation that was interrupted continues with the cases that are missing, and never takes an old score."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ossnet.cli.__main__ import main
from ossnet.data.nifti import read_label, write_label
from ossnet.evaluation import evaluation
from ossnet.training import protocols

COMMAND = ["evaluate", "run", "--data", "data/own.csv", "--split", "train", "--allow-learned-cases", "--device", "cpu"]
TABLE = Path("run/scores-train.csv")


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The cases that are scored by each kind of protocol; a case that is in `interrupts` ends the command instead."""
    names: dict[str, list[str]] = {"dense": [], "sampled": [], "interrupts": []}

    def watch(kind: str, module: Any, name: str) -> None:
        function: Callable[..., Any] = getattr(module, name)

        def watched(model: Any, case: Any, *options: Any) -> Any:
            if kind + case.name in names["interrupts"]:
                raise KeyboardInterrupt
            names[kind].append(case.name)
            return function(model, case, *options)

        monkeypatch.setattr(module, name, watched)

    watch("dense", evaluation, "segment_case")
    watch("sampled", protocols, "score_case_sampled")
    return names


def evaluate(scored: dict[str, list[str]], *options: str, until: str = "") -> tuple[str, str]:
    """Run the command, interrupted at a case if one is given, and return what was scored, sampled and densely."""
    scored.update(dense=[], sampled=[], interrupts=[until])
    assert main([*COMMAND, *options]) == (130 if until else 0)
    return "".join(scored["sampled"]), "".join(scored["dense"])


@pytest.mark.usefixtures("place")
def test_a_resumed_evaluation_writes_the_table_of_an_uninterrupted_one(scored: dict[str, list[str]]) -> None:
    both = ("--protocol", "paper", "dense")
    assert evaluate(scored, *both) == ("abc", "abc")
    expected = TABLE.read_bytes()
    before = set(TABLE.parent.iterdir())
    # A finished evaluation is made anew, since a model of one's own may have other code now.
    assert evaluate(scored, *both, until="sampledb") == ("a", "")
    assert evaluate(scored, *both, until="densec") == ("bc", "ab")
    # The earlier table is replaced by a whole one only.
    assert TABLE.read_bytes() == expected
    assert len(set(TABLE.parent.iterdir()) - before) == 2
    TABLE.unlink()
    # Passes of another size, as where the memory was too small, give the same scores.
    assert evaluate(scored, *both, "--max-locations", "100") == ("", "c")
    assert TABLE.read_bytes() == expected
    assert set(TABLE.parent.iterdir()) == before


def test_no_score_of_another_label_model_or_protocol_is_taken(place: Path, scored: dict[str, list[str]]) -> None:
    assert evaluate(scored, until="densec") == ("", "ab")
    label, affine = read_label(place / "data" / "a-label.nii.gz")
    write_label(place / "data" / "a-label.nii.gz", np.roll(label, 1, axis=0), affine)
    assert evaluate(scored, until="densec") == ("", "a")
    for options in (["--tolerance-mm", "3"], ["--extraction", "mise"], ["--precision", "bfloat16"]):
        assert evaluate(scored, *options, until="denseb") == ("", "a")
    assert evaluate(scored, "--protocol", "paper", until="sampledb") == ("a", "")
    assert evaluate(scored, "--protocol", "released", until="sampledb") == ("a", "")
    # What was done before is still there for the first command.
    assert evaluate(scored, until="densec") == ("", "")
    weights = load_file(place / "run" / "model.safetensors")
    save_file({name: values * np.float32(0.999) for name, values in weights.items()}, place / "run/model.safetensors")
    assert evaluate(scored) == ("", "abc")
