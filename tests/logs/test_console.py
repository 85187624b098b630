"""The daemon's own records."""

import logging
import re
from collections.abc import Iterator

import pytest

from llamactl import logs


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(("level", "shown"), [("debug", "DIWE"), ("info", "IWE"), ("warn", "WE"), ("error", "E")])
def test_levels(level: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.to_console(level)
    record = logging.getLogger("llamactl.test")
    for tell, letter in ((record.debug, "D"), (record.info, "I"), (record.warning, "W"), (record.error, "E")):
        tell(letter)
    lines = capsys.readouterr().err.splitlines()
    assert "".join(line[-1] for line in lines) == shown
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ +llamactl\.test: ", line) for line in lines)
