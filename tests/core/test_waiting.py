"""How far a load is."""

import pytest

from llamactl.core.waiting import percent, told


@pytest.mark.parametrize(
    ("passed", "eta", "loaded", "is_"),
    [
        (10.0, 30.0, None, 25),
        (10.0, 30.0, 0.5, 25),
        (10.0, None, 0.42, 42),
        (10.0, None, 1.0, 99),
        (10.0, None, None, None),
        (0.0, 0.0, 0.5, 0),
    ],
)
def test_by_what_loads_took_before_else_by_what_was_read(
    passed: float, eta: float | None, loaded: float | None, is_: int | None
) -> None:
    assert percent(passed, eta, loaded) == is_


def test_words() -> None:
    assert told("m", "loading", 10.0, loaded=0.42) == "loading m 42% …"
    assert told("m", "loading", 10.0) == "loading m, 10 s so far …"
