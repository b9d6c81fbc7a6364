import json
import subprocess
import sys
from dataclasses import asdict

import pytest
from pydantic import ValidationError

from ossnet import checks, unchecked
from ossnet.checks import STRICT, Field, PositiveInt, checked
from ossnet.registry import model_names, model_type


@checked(frozen=True, config=STRICT)
class Config:
    channels: tuple[PositiveInt, ...] = Field(default=(4, 8), min_length=1)
    rate: float = Field(default=0.1, gt=0, lt=1)


@pytest.mark.parametrize("values", [{"channel": 4}, {"channels": ()}, {"channels": (4, 0)}, {"rate": 1}, {"rate": "x"}])
def test_fields_are_checked(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Config(**values)


def test_without_pydantic_the_same_names_are_there() -> None:
    assert all(hasattr(unchecked, name) for name in checks.__all__)


# Run where pydantic cannot be imported: every model's default configuration, as JSON.
WITHOUT_PYDANTIC = """
import sys
sys.modules["pydantic"] = None
import json
from dataclasses import asdict
from ossnet import checks, unchecked
from ossnet.registry import model_names, model_type
assert checks.checked is unchecked.checked
kinds = {name: model_type(name) for name in model_names()}
configs = {name: kind.config_type((64, 64, 48), 2, **kind.preset) for name, kind in kinds.items()}
print(json.dumps({name: asdict(config) for name, config in configs.items()}))
"""


def test_without_pydantic_every_model_is_configured_alike() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_PYDANTIC], capture_output=True, text=True, check=True)
    kinds = {name: model_type(name) for name in model_names()}
    configs = {name: asdict(kind.config_type((64, 64, 48), 2, **kind.preset)) for name, kind in kinds.items()}
    assert json.loads(done.stdout) == json.loads(json.dumps(configs))
