"""`logs.…` and `logger.…`."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from llamactl.config.directories import find_directories
from llamactl.config.sections import Config, Logging, Residency
from llamactl.config.values import Duration
from llamactl.core.errors import NotFound
from llamactl.daemon.control.logs import LogCalls
from llamactl.logs import runs
from llamactl.logs.daily import Daily, entry
from llamactl.rpc.calls import Call, LoggerSettings, ReadLogs, SetLogger, ShowLogger

pytestmark = pytest.mark.anyio

BEGAN = 1_700_000_000


class Told:
    def __init__(self, place: Path) -> None:
        self.config = Config(directories=msgspec.structs.replace(find_directories({"HOME": "/"}), log=place))
        self.configured: list[Logging] = []
        self.calls = LogCalls(self.config, lambda config: self.configured.append(config.logging), self.resolve)

    @staticmethod
    def resolve(name: str) -> str:
        if name == "nobody":
            raise NotFound("no model nobody")
        return {"alias": "a"}.get(name, name)

    async def __call__(self, call: Call[Any]) -> Any:
        return await self.calls.handlers[type(call)](call)


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def write(told: Told, name: str, at: int, *lines: str) -> None:
    directory = told.config.directories.runs(name)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / runs.name_of((BEGAN + at) * 10**9)).write_text("".join(f"{line}\n" for line in lines))


async def test_lines_of_models_and_of_the_daemon(told: Told) -> None:
    write(told, "a", 0, "0.01.000.000 I old")
    write(told, "a", 10, "0.01.000.000 I one", "0.03.000.000 W (a.b) Two")
    write(told, "b", 10, "0.02.000.000 E key llk_s3cr3t-1")
    both = await told(ReadLogs(models=("alias", "b", "a")))
    assert [(row.model, row.time - BEGAN, row.level, row.line[15:]) for row in both] == [
        ("a", 11, "info", "one"),
        ("b", 12, "error", "key llk_***"),
        ("a", 13, "warn", "(a.b) Two"),
    ]
    assert await told(ReadLogs(models=("a", "b"), limit=1)) == both[-1:]
    assert await told(ReadLogs(models=("a", "b"), level="error")) == both[1:2]
    assert await told(ReadLogs(models=("a",), text="(A.B) t")) == both[-1:], "no expression"
    assert len(await told(ReadLogs(models=("a",), since=BEGAN))) == 3
    assert await told(ReadLogs(models=("a",), since=BEGAN + 11.5, until=BEGAN + 13)) == both[-1:]
    assert await told(ReadLogs()) == [] == await told(ReadLogs(models=("c",)))
    assert [row.line[15:] for row in await told(ReadLogs(models=("a",), previous=True))] == ["old"]
    with pytest.raises(NotFound, match="no log of an earlier run of 'b'"):
        await told(ReadLogs(models=("a", "b"), previous=True))
    with pytest.raises(NotFound):
        await told(ReadLogs(models=("nobody",)))
    file = Daily(told.config.directories.log, "application", 1 << 20)
    file.write([entry(BEGAN, "info", "x", "said")], BEGAN)
    file.close()
    assert [(row.model, row.line) for row in await told(ReadLogs())] == [(None, "x: said")]


async def test_what_is_set_for_now(told: Told) -> None:
    before = await told(ShowLogger())
    assert (before.console_level, before.max_files, before.file) == ("info", 30 * 86400, True)
    after = await told(SetLogger(console_level="debug", max_files=60.0, console=False))
    assert after == msgspec.structs.replace(before, console_level="debug", max_files=60.0, console=False)
    assert told.configured[-1].console_level == told.calls().logging.console_level == "debug"
    told.calls.take_over(msgspec.structs.replace(told.config, residency=Residency(ttl=Duration(1.0))))  # type: ignore[arg-type]
    assert told.calls().residency.ttl == 1.0
    assert await told(ShowLogger()) == after, "that was about something else"
    told.calls.take_over(msgspec.structs.replace(told.config, logging=Logging(file_level="error")))
    shown: LoggerSettings = await told(ShowLogger())
    assert (shown.console_level, shown.file_level, shown.console) == ("info", "error", True)
