"""Keys, and what they do."""

import msgspec
import pytest

from llamactl.cli.top.looking import Action, Looking, choice, keys, press, shown
from llamactl.cli.top.view import View, measured
from tests.cli.top.test_view import SAMPLE, view


def typed(text: bytes, known: View, looking: Looking | None = None) -> tuple[Looking, list[Action]]:
    now, actions = looking or Looking(), []
    for key in keys(text):
        now, action = press(now, key, known)
        actions += [action] if action else []
    return now, actions


@pytest.mark.parametrize(
    ("read", "found"),
    [
        (b"q", ["q"]),
        (b"\x1b[A\x1b[B\x1bOB", ["up", "down", "down"]),
        (b"\x1b", ["escape"]),
        (b"\x1b[15~\x1b[1;5Cj", ["j"]),
        (b"/ab\x7f\r", ["/", "a", "b", "backspace", "enter"]),
        ("ä\x01".encode(), []),
    ],
)
def test_what_was_typed(read: bytes, found: list[str]) -> None:
    assert keys(read) == found


def test_the_order() -> None:
    known = view()
    measured(known, SAMPLE)
    names = []
    looking = Looking()
    for _ in range(5):
        names.append((looking.order, [row.name for row in shown(looking, known)]))
        looking, _ = press(looking, "o", known)
    assert names == [
        ("state", ["gamma", "alpha", "beta"]),
        ("name", ["alpha", "beta", "gamma"]),
        ("tok/s", ["alpha", "beta", "gamma"]),
        ("memory", ["alpha", "beta", "gamma"]),
        ("requests", ["gamma", "alpha", "beta"]),
    ]
    assert looking.order == "state"


def test_choosing() -> None:
    known = view()
    looking, _ = typed(b"", known)
    assert choice(looking, known) == "gamma"
    looking, _ = typed(b"j", known)
    assert looking.chosen == "alpha"
    looking, _ = typed(b"jjjj", known, looking)
    assert looking.chosen == "beta", "the last is the last"
    looking, _ = typed(b"o", known, looking)
    assert choice(looking, known) == "beta", "it is a model, not a row"
    assert typed(b"\x1b[A" * 5, known, looking)[0].chosen == "alpha"


def test_starting_and_stopping() -> None:
    known = view()
    looking, actions = typed(b"jjsx", known)
    assert actions == [Action("start", "beta"), Action("stop", "beta")]
    assert looking.message == "stopping beta"
    assert typed(b"k", known, looking)[0].message == ""
    assert typed(b"q", known)[1] == [Action("quit")]
    assert typed(b"sxjk", View(status=known.status, models=[]))[1] == [], "there is none"


def test_the_filter() -> None:
    known = view()
    looking, actions = typed(b"/AMqs\x7f\x7f", known)
    assert looking.typing and looking.filter == "AM" and not actions, "letters are letters"
    assert [row.name for row in shown(looking, known)] == ["gamma"]
    looking, actions = typed(b"\rs", known, looking)
    assert not looking.typing and actions == [Action("start", "gamma")]
    assert typed(b"\x1b", known, looking)[0].filter == ""
    assert typed(b"/xyz\x1b", known)[0].filter == ""


def test_an_alias_is_a_name() -> None:
    known = view()
    known.models[1] = msgspec.structs.replace(known.models[1], aliases=("gpt-4o", "small"))
    assert [row.name for row in shown(Looking(filter="GPT"), known)] == ["beta"]


def test_pausing() -> None:
    assert typed(b"p", view())[0].paused
    assert not typed(b"p ", view())[0].paused
