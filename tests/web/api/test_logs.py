"""`/api/logs` and `/api/logger/config`."""

from typing import Any

import pytest

from llamactl.core.access import Caller
from llamactl.core.errors import NotFound
from llamactl.rpc.calls import LoggerSettings, LogRow, ReadLogs, SetLogger
from tests.web.test_app import ask

ADMIN = Caller(scope="admin")
LOGS, LOGGER = "/api/logs", "/api/logger/config"
SETTINGS = LoggerSettings(
    console_level="info",
    file_level="debug",
    errors_level="warn",
    max_size=20 << 20,
    max_files=30 * 86400.0,
    file=True,
    console=False,
)
SEVEN = {
    "consoleLevel": "info",
    "fileLevel": "debug",
    "errorLevel": "warn",
    "maxFileSize": "20m",
    "maxFiles": "30d",
    "enableFileLogging": True,
    "enableConsoleLogging": False,
}


def test_lines() -> None:
    asked: list[Any] = []

    def answer(call: ReadLogs) -> list[LogRow]:
        asked.append(call)
        return [LogRow(model=None, time=0.5, level="warn", line="x"), LogRow(model="a", time=1, level="info", line="y")]

    code, _, body = ask(f"{LOGS}?model=a,b&limit=2&level=info&since=0.5&text=x", ReadLogs=answer)
    assert asked == [ReadLogs(models=("a", "b"), limit=2, level="info", since=0.5, text="x")]
    assert (code, body["success"]) == (200, True)
    assert body["data"]["logs"] == [
        {"timestamp": "1970-01-01T00:00:00.500Z", "level": "warn", "source": "llamactl", "message": "x"},
        {"timestamp": "1970-01-01T00:00:01.000Z", "level": "info", "source": "a", "message": "y"},
    ]
    code, _, body = ask(f"{LOGS}?model=z", ReadLogs=NotFound("no model z", "llamactl models ls"))
    assert (code, body["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "limit=10001", "level=loud", "since=then", "page=2"])
def test_what_is_no_question(query: str) -> None:
    code, _, body = ask(f"{LOGS}?{query}")
    assert (code, body["success"], body["error"]["code"]) == (400, False, "bad_request")


def test_how_lines_are_recorded() -> None:
    code, _, body = ask(LOGGER, ShowLogger=SETTINGS)
    assert (code, body["data"]) == (200, SEVEN)


def test_nobody_may_change_it_without_a_key() -> None:
    code, _, body = ask(LOGGER, "POST", b"{}")
    assert (code, body["error"]["code"]) == (403, "forbidden")


def test_who_may_changes_what_is_named() -> None:
    asked: list[Any] = []

    def answer(call: SetLogger) -> LoggerSettings:
        asked.append(call)
        return SETTINGS

    text = b'{"consoleLevel": "warn", "maxFileSize": "3k", "maxFiles": "2w", "enableFileLogging": false}'
    code, _, body = ask(LOGGER, "POST", text, ADMIN, SetLogger=answer)
    assert asked == [SetLogger(console_level="warn", max_size=3072, max_files=14 * 86400.0, file=False)]
    assert (code, body["data"]) == (200, SEVEN)


@pytest.mark.parametrize(
    "text",
    [b"{", b"[]", b'{"level": "info"}', b'{"errorLevel": "debug"}', b'{"maxFileSize": "20"}', b'{"maxFiles": "30"}'],
)
def test_what_is_no_such_document(text: bytes) -> None:
    code, _, body = ask(LOGGER, "POST", text, ADMIN)
    assert (code, body["error"]["code"]) == (400, "bad_request")


def test_a_key_for_some_models_is_for_their_logs() -> None:
    caller = Caller("k", "n", "observe", models=("a",))
    assert ask(f"{LOGS}?model=a", caller=caller, ReadLogs=[], ListModels=[])[0] == 200
    for query in ("model=b", "model=a,b", ""):
        assert ask(f"{LOGS}?{query}", caller=caller, ListModels=[])[0] == 403
    assert ask(f"{LOGS}?model=a", caller=Caller("k", "n", "infer", models=("a",)), ListModels=[])[0] == 403
