import re

import msgspec
import pytest

from llamactl.core import errors
from llamactl.core.errors import BY_CODE, LlamactlError, Problem, from_problem

TREE = re.compile(r"^(?P<branch>[ │├└─]*)(?P<name>[A-Z]\w+)\s+(?P<exit>\d+)\s+(?P<rpc>−\d+)\s+(?P<status>\d{3})\b")
"""One line of the tree in the docstring: name, exit code, JSON-RPC code, HTTP status."""

EVERY = list(BY_CODE.values())


def documented() -> list[tuple[int, str, int, int, int]]:
    """(depth, name, exit, rpc, status) of each line of the tree, top to bottom."""
    matches = [match for line in (errors.__doc__ or "").splitlines() if (match := TREE.match(line))]
    return [
        ((len(m["branch"]) - 4) // 4, m["name"], int(m["exit"]), int(m["rpc"].replace("−", "-")), int(m["status"]))
        for m in matches
    ]


def defined(error: type[LlamactlError], depth: int = 0) -> list[tuple[int, str, int, int, int]]:
    """The same of the classes in `core.errors`; other packages have a few of their own kinds of them."""
    line = (depth, error.__name__, error.exit, error.rpc, error.status)
    ours = [child for child in error.__subclasses__() if child.__module__ == errors.__name__]
    return [line] + [leaf for child in ours for leaf in defined(child, depth + 1)]


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    assert documented() == defined(LlamactlError)


def test_every_error_can_be_told_by_its_codes() -> None:
    assert len(EVERY) == len(defined(LlamactlError))
    assert len({error.rpc for error in EVERY}) == len(EVERY)
    assert all(re.fullmatch("[a-z_]+", error.code) for error in EVERY)


def test_json_rpc_codes_are_in_the_range_for_servers_or_defined_by_the_specification() -> None:
    assert all(-32099 <= error.rpc <= -32000 or error.rpc == -32602 for error in EVERY)


def test_exit_codes_are_the_documented_ones() -> None:
    assert {error.__name__: error.exit for error in EVERY if error.exit != 1} == {
        "BadRequest": 2,
        "BodyTooLarge": 2,
        "NotRunning": 3,
        "NotFound": 4,
        "Refused": 5,
        "Draining": 5,
        "Forbidden": 6,
        "Unauthorized": 6,
        "Unreachable": 7,
        "TimedOut": 8,
        "DoesNotFit": 9,
    }


@pytest.mark.parametrize("kind", EVERY)
def test_an_error_crosses_a_boundary_unchanged(kind: type[LlamactlError]) -> None:
    error = kind("what happened", "what to do", 2.5)
    wire = msgspec.json.encode(error.problem())
    again = from_problem(msgspec.json.decode(wire, type=Problem))
    assert type(again) is kind
    assert (again.message, again.hint, again.retry_after) == ("what happened", "what to do", 2.5)
    assert str(again) == "what happened"
    assert again.problem() == error.problem() == Problem(kind.code, "what happened", "what to do", 2.5, kind.exit)


def test_an_unknown_code_is_still_an_error_with_its_message() -> None:
    error = from_problem(Problem("from_the_future", "what happened"))
    assert type(error) is LlamactlError
    assert error.message == "what happened"


def test_what_is_not_said_is_not_sent() -> None:
    assert msgspec.json.encode(LlamactlError("no").problem()) == b'{"code":"error","message":"no"}'
