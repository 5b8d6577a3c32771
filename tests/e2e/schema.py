"""Checks documents against the JSON schemas of the tree: a small part of the standard, which needs no package."""

import functools
import json
import pathlib
import re

RUNS = pathlib.Path(__file__).parents[2] / "apps" / "runs"
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "number": (int, float),
         "integer": int}
KEYWORDS = {"$schema", "$id", "$defs", "$ref", "title", "description", "type", "required", "additionalProperties",
            "properties", "items", "anyOf", "const", "enum", "pattern", "minimum"}


@functools.cache
def read_schema(name):
    return json.loads((RUNS / name).read_text())


def violations(value, schema, at="run.json", root=None):
    """Yields each violation of the JSON schema. Asserts that the schema uses supported keywords only."""
    root = root or schema
    unknown = schema.keys() - KEYWORDS
    assert not unknown, f"the schema uses {unknown}, which this checker does not support"
    if "$ref" in schema:
        yield from violations(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], at, root)
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    fits = [isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool)) for name in types]
    if types and not any(fits):
        yield f"{at}: {value!r} is not of type {' or '.join(types)}"
    if "const" in schema and value != schema["const"]:
        yield f"{at}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is not one of {schema['enum']}"
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        yield f"{at}: {value!r} does not match {schema['pattern']}"
    if "minimum" in schema and isinstance(value, (int, float)) and value < schema["minimum"]:
        yield f"{at}: {value} is below {schema['minimum']}"
    if "anyOf" in schema:
        found = [list(violations(value, each, at, root)) for each in schema["anyOf"]]
        if all(found):
            yield from min(found, key=len)  # of the alternative that fits best
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from violations(item, schema.get("items", {}), f"{at}[{index}]", root)
    if not isinstance(value, dict):
        return
    for name in schema.get("required", []):
        if name not in value:
            yield f"{at}.{name}: missing"
    for name, member in value.items():
        rule = schema.get("properties", {}).get(name, schema.get("additionalProperties", True))
        if rule is False:
            yield f"{at}.{name}: unknown"
        elif rule is not True:
            yield from violations(member, rule, f"{at}.{name}", root)


checked = {}  # how many events of each name and members were checked


def check_event(event):
    """Asserts that the event matches its schema. Checks the first ones of a kind only: some tests read thousands."""
    kind = (event.get("event"), *event)
    checked[kind] = checked.get(kind, 0) + 1
    if checked[kind] > 20:
        return
    schema = read_schema("events.schema.json")
    assert {"$ref": f"#/$defs/{event.get('event')}"} in schema["anyOf"], f"an event without a schema: {event}"
    found = list(violations(event, {"$ref": f"#/$defs/{event['event']}"}, event["event"], schema))
    assert not found, f"{found} of {event}"
