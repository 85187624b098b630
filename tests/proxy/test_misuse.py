"""How often keys were misused, and how seldom that is told."""

from llamactl.core.events import KeyMisused
from llamactl.proxy import misuse
from llamactl.proxy.misuse import EVERY, Misuses


class Time:
    def __init__(self) -> None:
        self.now = 100.0
        self.misuses = Misuses(lambda: self.now)


def test_once_a_minute_with_how_often_it_was() -> None:
    time = Time()
    time.misuses.note("a", "scope", "::1")
    assert time.misuses.take() == [KeyMisused("a", "scope", "::1")]
    for address in ("::1", "::2"):
        time.misuses.note("a", "scope", address)
    time.misuses.note("a", "model", "::1")
    assert time.misuses.take() == [KeyMisused("a", "model", "::1")], "that is about something else"
    time.now += EVERY - 0.1
    assert time.misuses.take() == []
    time.now += 0.1
    assert time.misuses.take() == [KeyMisused("a", "scope", "::2", 2)]
    time.now += 2 * EVERY
    assert time.misuses.take() == [], "nothing happened since"
    time.misuses.note("a", "scope", "::1")
    assert time.misuses.take() == [KeyMisused("a", "scope", "::1")]


def test_what_is_remembered_is_bounded() -> None:
    time = Time()
    for number in range(2 * misuse.MOST):
        time.misuses.note(f"jwt:{number}", "scope", "::1")
    told = time.misuses.take()
    assert len(told) == misuse.MOST + 1 and told[-1] == KeyMisused("", "scope", "::1", misuse.MOST)
    assert time.misuses.take() == []
