"""The web face, asked directly."""

import asyncio
import logging
from base64 import b64encode
from io import BytesIO
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from llamactl.core.access import Caller
from llamactl.core.errors import NotRunning
from llamactl.rpc.calls import Call, DaemonStatus, ServiceRow
from llamactl.web.app import application
from llamactl.web.caller import HEADER


def ask(
    path: str, method: str = "GET", body: bytes | BytesIO | None = None, caller: Caller | None = None, **answers: Any
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of one answer; `answers` are what the daemon says to each call, by its class."""

    async def daemon(call: Call[Any]) -> Any:
        answer = answers[type(call).__name__]
        if callable(answer):
            answer = answer(call)
        if isinstance(answer, Exception):
            raise answer
        return answer

    headers = {} if caller is None else {HEADER: b64encode(msgspec.json.encode(caller)).decode()}

    async def run() -> tuple[int, dict[str, str], Any]:
        server = TestServer(application(daemon))
        async with TestClient(server) as client, client.request(method, path, data=body, headers=headers) as response:
            return response.status, dict(response.headers), await response.json()

    return asyncio.run(run())


def status(**states: str) -> DaemonStatus:
    services = [ServiceRow(name=name, state=state, age=1.0) for name, state in states.items()]
    return DaemonStatus(
        version="1", pid=1, uptime=1.0, http=[], config="", data="", log="", models=0, services=services, last_event=0
    )


def test_health_is_that_of_the_services() -> None:
    assert ask("/health", Status=status(door="up", web="up"))[::2] == (200, {"status": "ok", "down": []})
    assert ask("/health", Status=status(door="up", web="restarting"))[::2] == (
        503,
        {"status": "degraded", "down": ["web"]},
    )


def test_what_is_not_there_is_said_in_openais_words() -> None:
    code, _, body = ask("/v1/nothing")
    assert code == 404
    assert body["error"]["type"] == "not_found_error"
    code, headers, body = ask("/health", "DELETE")
    assert code == 405
    assert "GET" in headers["Allow"]
    assert "Method Not Allowed" in body["error"]["message"]


def test_errors_of_the_daemon_keep_their_status() -> None:
    code, _, body = ask("/v1/models", ListInstances=NotRunning("the daemon is stopping"))
    assert (code, body["error"]["code"]) == (503, "not_running")


def test_a_bug_is_logged_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        code, _, body = ask("/v1/models", ListInstances=ZeroDivisionError("oh"))
    assert (code, body["error"]["type"]) == (500, "server_error")
    assert "GET /v1/models failed" in caplog.text
