"""`POST /rpc`: who may ask what, and in which form."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from llamactl.core.access import Caller
from llamactl.core.errors import NotFound
from llamactl.rpc.calls import CALLS, ModelRow, StartModel
from llamactl.rpc.server import Stream
from tests.web.test_app import ask, status

CONTROL = Caller("k", "n", "control")


def rpc(*methods: str, caller: Caller = CONTROL, params: dict[str, object] | None = None, **answers: Any) -> Any:
    questions = [
        {"jsonrpc": "2.0", "id": n, "method": method, "params": params or {}} for n, method in enumerate(methods)
    ]
    body = json.dumps(questions if len(questions) > 1 else questions[0]).encode()
    code, headers, answer = ask("/rpc", "POST", body, caller, **answers)
    assert code == 200 and headers["Content-Type"].startswith("application/json")
    return answer


def test_a_call() -> None:
    assert rpc("models.list", ListModels=[]) == {"jsonrpc": "2.0", "id": 0, "result": []}
    started: list[Any] = []
    rpc("instances.start", params={"name": "a", "wait": False}, StartModel=started.append)
    assert started == [StartModel("a", wait=False)]


def test_what_goes_wrong() -> None:
    answer = rpc("models.show", params={"name": "x"}, ShowModel=NotFound("no model is called x", "llamactl models ls"))
    assert answer["error"]["code"] == -32004 and answer["error"]["data"]["hint"] == "llamactl models ls"
    assert rpc("no.such")["error"]["code"] == -32601
    assert ask("/rpc", "POST", b"{", CONTROL)[2]["error"]["code"] == -32700
    assert ask("/rpc", "POST", b"", CONTROL)[2]["error"]["code"] == -32700
    assert ask("/rpc", "GET", None, CONTROL)[0] == 405


def test_many_at_once_each_for_itself() -> None:
    first, second, third = rpc("models.list", "keys.list", "models.rename", ListModels=[])
    assert first["result"] == [] and second["error"]["code"] == -32006 and third["error"]["code"] == -32602


@pytest.mark.parametrize("method", CALLS)
def test_every_call_has_its_scope(method: str) -> None:
    call = CALLS[method]
    reading = ("daemon.status", "daemon.engine")
    reads = method in reading or method.rpartition(".")[2] in (
        "list",
        "show",
        "status",
        "watch",
        "plan",
        "wait",
        "why",
        "fit",
        "export",
    )
    writes = method.startswith(("daemon.", "keys.")) and method not in reading
    if writes:
        assert call.scope == "admin"
    elif reads:
        assert call.scope == "observe"


@pytest.mark.parametrize(
    ("caller", "method", "may"),
    [
        (Caller("k", "n", "observe"), "models.list", True),
        (Caller("k", "n", "observe"), "templates.set", False),
        (Caller("k", "n", "infer"), "models.list", False),
        (CONTROL, "keys.list", False),
        (CONTROL, "daemon.stop", False),
        (Caller("k", "n", "admin"), "keys.list", True),
        (Caller("k", "n", "admin", ("a*",)), "models.list", False),
        (Caller(), "models.list", False),
    ],
)
def test_who_may(caller: Caller, method: str, may: bool) -> None:
    answers: dict[str, Any] = {CALLS[method].__name__: []}
    params: dict[str, object] = {"templates": {}} if method == "templates.set" else {}
    answer = rpc(method, caller=caller, params=params, **answers)
    assert ("result" in answer) == may
    if not may:
        assert answer["error"]["code"] == -32006


@pytest.mark.parametrize(
    ("method", "params", "may"),
    [
        ("models.show", {"name": "alpha"}, True),
        ("models.show", {"name": "first"}, True),
        ("models.show", {"name": "beta"}, False),
        ("models.show", {"name": "another"}, False),
        ("instances.start", {"name": "first"}, True),
        ("instances.stop", {"name": "another"}, False),
        ("models.rename", {"name": "alpha", "to": "beta"}, False),
        ("models.clone", {"name": "alpha", "to": "a2"}, False),
        ("models.add", {"path": "/x", "name": "a2"}, False),
        ("models.export", {"names": ["alpha", "first"]}, True),
        ("models.export", {"names": ["alpha", "another"]}, False),
        ("models.export", {}, False),
        ("logs.read", {"models": ["first"]}, True),
        ("logs.read", {"models": ["alpha", "beta"]}, False),
        ("logs.read", {}, False),
        ("requests.list", {"model": "alpha"}, True),
        ("requests.list", {"model": "beta"}, False),
        ("requests.list", {}, False),
        ("keys.create", {"name": "alpha", "scopes": ["admin"]}, False),
        ("presets.show", {"name": "alpha"}, False),
        ("daemon.reload", {}, False),
    ],
)
def test_a_key_for_some_models(method: str, params: dict[str, object], may: bool) -> None:
    """It may ask what is about them alone, by name or alias; nothing that would give it more."""
    aliases = (("alpha", "first"), ("beta", "another"))
    rows = [ModelRow(name=name, path="", size=1, aliases=(alias,)) for name, alias in aliases]
    answers: dict[str, Any] = {CALLS[method].__name__: None, "ListModels": rows}
    answer = rpc(method, caller=Caller("k", "n", "admin", ("a*",)), params=params, **answers)
    assert ("result" in answer) == may
    if not may:
        assert answer["error"]["code"] == -32006 and "the key is for a*" in answer["error"]["message"]


def test_nothing_is_said_to_a_notification() -> None:
    async def run() -> tuple[int, bytes]:
        from aiohttp.test_utils import TestClient, TestServer

        from llamactl.web.app import application

        async def daemon(call: Any) -> Any:
            return status()

        body = b'{"jsonrpc": "2.0", "method": "daemon.status"}'
        server = TestServer(application(daemon))
        async with TestClient(server) as client, client.post("/rpc", data=body) as response:
            return response.status, await response.read()

    assert asyncio.run(run()) == (204, b"")


def test_what_goes_on_is_not_to_be_had() -> None:
    closed: list[bool] = []

    async def nothing() -> AsyncGenerator[object, None]:
        yield None

    def watch(_: object) -> Stream:
        return Stream(first={}, then=nothing(), close=lambda: closed.append(True))

    assert "llamaproxws" in rpc("watch", Watch=watch)["error"]["message"] and closed == [True]
