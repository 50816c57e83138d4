"""A reader of OpenAPI descriptions: says where a value differs from its schema, for as much of JSON Schema as ours use."""

import re
from collections.abc import Iterator
from typing import Any

TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "object": dict,
    "null": type(None),
}
KNOWN = {
    *("$ref", "anyOf", "type", "title", "description", "default", "properties", "required"),
    *("additionalProperties", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum"),
}


def problems_of(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> list[str]:
    """Return every way in which *value* is not what *schema* says."""
    return list(_problems(value, schema, document, "$"))


def _problems(value: Any, schema: dict[str, Any], document: dict[str, Any], where: str) -> Iterator[str]:
    if unknown := set(schema) - KNOWN:
        yield f"{where}: this reader does not know {unknown}"
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema and all(list(_problems(value, each, document, where)) for each in schema["anyOf"]):
        yield f"{where}: none of the possible forms"
    if "type" in schema and not isinstance(value, TYPES[schema["type"]]):
        yield f"{where}: not of type {schema['type']}"
    elif isinstance(value, dict):
        yield from _in_object(value, schema, document, where)
    elif isinstance(value, str):
        yield from _in_text(value, schema, where)
    elif isinstance(value, int):
        yield from _in_number(value, schema, where)


def _in_object(
    value: dict[str, Any], schema: dict[str, Any], document: dict[str, Any], where: str
) -> Iterator[str]:
    properties = schema.get("properties", {})
    yield from (f"{where}: {name} is missing" for name in schema.get("required", ()) if name not in value)
    yield from (f"{where}: {name} is not described" for name in value if name not in properties)
    for name in value.keys() & properties.keys():
        yield from _problems(value[name], properties[name], document, f"{where}.{name}")


def _in_text(value: str, schema: dict[str, Any], where: str) -> Iterator[str]:
    if not re.search(schema.get("pattern", ""), value):
        yield f"{where}: does not match its pattern"
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{where}: too short or too long"


def _in_number(value: int, schema: dict[str, Any], where: str) -> Iterator[str]:
    if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{where}: out of range"
    if value <= schema.get("exclusiveMinimum", value - 1):
        yield f"{where}: too small"
