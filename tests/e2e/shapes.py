"""The shape of JSON: the type of every field by its path, without what changes from run to run.

`items[].name` is a field of every object in a list, `memory.*` what stands under the names in a map. What is not in
every object is `absent`, too.
"""

import re
from collections import Counter
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
MAPS = {"added", "free", "gpu_memory", "keys", "memory", "need", "presets", "recommended", "set", "settings", "shapes"}
MAPS |= {"templates", "values"}
"""Fields whose keys are names of things."""

Shape = dict[str, set[str]]


def shape(values: list[Any]) -> Shape:
    """Of several objects of the same kind."""
    types: Shape = {}
    counts: Counter[str] = Counter()
    for value in values:
        _walk(value, "", types, counts)
    for path in types:
        if counts[path] < counts[_parent(path)] and not path.endswith(("*", "[]")):
            types[path].add("absent")
    types.pop("")
    return types


def differences(found: Shape, known: Shape) -> list[str]:
    """What of it is not known, and what is missing in it; nothing is missing where there is nothing it could be in.

    Null is what is not known yet, and so no other type.
    """
    said = []
    for path, types in found.items():
        before = known.get(path, set())
        if path not in known or (before - {"null"} and types - before - {"null"}):
            said.append(f"{path}: {'|'.join(sorted(types))}")
    for path, types in known.items():
        there = _parent(path) == "" or "object" in found.get(_parent(path), set())
        if path not in found and there and "absent" not in types and not path.endswith(("*", "[]")):
            said.append(f"{path} is missing")
    return said


def _walk(value: Any, path: str, types: Shape, counts: Counter[str]) -> None:
    kind = _kind(value)
    types.setdefault(path, set()).add(kind)
    counts[path] += 1
    if kind == "object":
        free = path.rpartition(".")[2] in MAPS
        for key, each in value.items():
            _walk(each, (f"{path}." if path else "") + ("*" if free else key), types, counts)
    elif kind == "list":
        for each in value:
            _walk(each, f"{path}[]", types, counts)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "time" if TIME.fullmatch(value) else "string"
        case list():
            return "list"
    return "object"


def _parent(path: str) -> str:
    return path[:-2] if path.endswith("[]") else path.rpartition(".")[0]
