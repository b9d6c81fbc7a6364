"""What each setting of a configuration may be, in words, from the JSON schema of its dataclass."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticOmit

LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
    "multipleOf": "a multiple of",
}

KINDS = {"boolean": "true or false", "integer": "whole number", "number": "number", "string": "text", "object": "table"}

Schema = Mapping[str, Any]


class _KnownOnly(GenerateJsonSchema):
    """Schema without the fields whose types JSON does not know, which a model of another package may have."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        raise PydanticOmit


def allowed_values(kind: type) -> dict[str, str]:
    """Return what each field of a configuration may be, by dotted name.

    >>> from ossnet.training.recipe import Recipe
    >>> allowed = allowed_values(Recipe)
    >>> allowed["sampling.strategy"], allowed["optimization.decay"]
    ('"uniform", "border" or "confidence"', 'number, above 0, at most 1')
    """
    schema = TypeAdapter(kind).json_schema(schema_generator=_KnownOnly)
    return dict(_fields(schema, schema.get("$defs", {})))


def _fields(schema: Schema, definitions: Mapping[str, Schema]) -> Iterator[tuple[str, str]]:
    for name, field in schema.get("properties", {}).items():
        if "$ref" in field:
            inner = _fields(definitions[field["$ref"].rpartition("/")[2]], definitions)
            yield from ((f"{name}.{inner_name}", words) for inner_name, words in inner)
        else:
            yield name, _words(field)


def _words(field: Schema) -> str:
    """Return what a field may be; nothing, which TOML cannot express, is left out."""
    if "enum" in field:
        *others, last = [json.dumps(value) for value in field["enum"]]
        return f"{', '.join(others)} or {last}" if others else last
    if "anyOf" in field:
        return " or ".join(_words(part) for part in field["anyOf"] if part != {"type": "null"})
    if field.get("type") == "array":
        of = field.get("prefixItems") or [field.get("items", {})]
        count = f" of {len(of)}" if "prefixItems" in field else ""
        inner = "; ".join(dict.fromkeys(filter(None, map(_words, of))))
        return f"list{count}: {inner}" if inner else f"list{count}"
    limits = [f"{words} {field[name]}" for name, words in LIMITS.items() if name in field]
    return ", ".join([KINDS.get(str(field.get("type")), ""), *limits]).removeprefix(", ")
