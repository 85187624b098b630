"""llama.cpp's router, as its clients see it."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from llamactl.core.access import Caller
from llamactl.core.errors import Problem
from llamactl.core.events import CatalogueChanged, Event, InstanceChanged, Numbered
from llamactl.core.instance import Exit, Failed, Loading, Ready, Starting, Stopped
from llamactl.rpc.calls import Call, InstanceRow, Lost, ModelRow, Snapshot, StartModel, StopModel
from llamactl.rpc.server import Stream
from llamactl.web.app import application
from llamactl.web.caller import ANYBODY, HEADER
from tests.web.test_app import ask

ROW = ModelRow(
    name="org/a",
    path="/secret/a",
    size=7,
    aliases=("b",),
    variants=("fast",),
    vocabulary=9,
    quantisation="Q8",
    context_length=512,
    modalities=("text", "image"),
)


def daemon(state: str = "stopped", **more: Any) -> dict[str, Any]:
    return {"ListModels": [ROW], "ListInstances": [InstanceRow(name=ROW.name, state=state, **more)]}


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("ready", "loaded"),
        ("starting", "loading"),
        ("loading", "loading"),
        ("backoff", "loading"),
        ("failed", "failed"),
        ("stopped", "unloaded"),
        ("stopping", "unloaded"),
    ],
)
def test_models_are_listed_as_the_router_does(state: str, shown: str) -> None:
    for path in ("/models", "/v1/models"):
        code, _, body = ask(path, **daemon(state))
        assert (code, body["object"]) == (200, "list")
        model = body["data"][0]
        assert (model["id"], model["object"], model["aliases"]) == ("org/a", "model", ["b"])
        assert model["status"]["value"] == shown
        assert model["status"].get("failed", False) == (state == "failed")
        assert model["architecture"] == {"input_modalities": ["text", "image"], "output_modalities": ["text"]}
        meta = {"size": 7, "n_vocab": 9, "n_ctx_train": 512, "quantisation": "Q8", "modalities": ["text", "image"]}
        assert model["meta"] == meta
        assert "secret" not in str(body), "where files lie is nobody's business"


def test_one_that_sleeps() -> None:
    assert ask("/models", **daemon("ready", sleeping=True))[2]["data"][0]["status"] == {"value": "sleeping"}


def test_variants_can_be_chosen_where_models_are() -> None:
    assert [model["id"] for model in ask("/v1/models", **daemon())[2]["data"]] == ["org/a", "org/a:fast"]
    [model] = ask("/models", **daemon())[2]["data"]
    assert model["variants"] == ["org/a:fast"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("org/a", "org/a"),
        ("org%2Fa", "org/a"),
        ("b", "org/a"),
        ("org/a:fast", "org/a:fast"),
        ("b:fast", "org/a:fast"),
        ("b:slow", None),
        ("org", None),
    ],
)
def test_one_model(path: str, found: str | None) -> None:
    code, _, body = ask(f"/v1/models/{path}", **daemon())
    assert (code, body.get("id")) == ((200, found) if found else (404, None))
    if not found:
        assert body["error"]["code"] == "not_found"


def test_the_router_says_what_it_is() -> None:
    code, _, body = ask("/props")
    assert (code, body["role"], body["models_autoload"]) == (200, "router", True)


# --- load and unload ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "name", "state", "code", "says"),
    [
        ("/models/load", "org/a", "stopped", 200, ""),
        ("/models/load", "b", "failed", 200, ""),
        ("/models/load", "org/a", "ready", 400, "model is already running"),
        ("/models/load", "org/a", "loading", 400, "model is already running"),
        ("/models/load", "x", "stopped", 404, "no model is called"),
        ("/models/unload", "b", "ready", 200, ""),
        ("/models/unload", "org/a", "loading", 200, ""),
        ("/models/unload", "org/a", "stopped", 400, "model is not running"),
        ("/models/unload", "x", "stopped", 400, "model is not found"),
    ],
)
def test_load_and_unload(path: str, name: str, state: str, code: int, says: str) -> None:
    asked: list[Call[Any]] = []
    answers = daemon(state) | {"StartModel": asked.append, "StopModel": asked.append}
    status, _, body = ask(path, "POST", json.dumps({"model": name}).encode(), **answers)
    assert status == code
    if says:
        assert body["error"]["code"] == code
        assert says in body["error"]["message"]
        assert not asked
    else:
        assert body == {"success": True}
        assert asked == [StartModel("org/a", wait=False) if path == "/models/load" else StopModel("org/a")]


# --- a key for some models ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("models", "method", "path", "name", "code"),
    [
        (("org/*",), "POST", "/models/load", "org/a", 200),
        (("org/*",), "POST", "/models/load", "b", 200),
        (("org/*",), "POST", "/models/load", "x", 404),
        (("b", "x"), "POST", "/models/load", "org/a", 403),
        (("b", "x"), "POST", "/models/load", "b", 403),
        ((), "POST", "/models/load", "org/a", 403),
        (("b",), "POST", "/models/unload", "b", 403),
        (("org/*",), "POST", "/models/unload", "b", 400),
        (("org/*",), "GET", "/v1/models/b:fast", "", 200),
        (("b",), "GET", "/v1/models/org/a", "", 403),
        (("b",), "GET", "/v1/models/b", "", 403),
        (("org/*",), "GET", "/api/model-templates", "", 403),
        (("org/*",), "POST", "/api/model-templates", "", 403),
    ],
)
def test_what_a_key_for_some_models_may(models: tuple[str, ...], method: str, path: str, name: str, code: int) -> None:
    """Those are names of models: that an alias looks like one makes no difference."""
    asked: list[Call[Any]] = []
    caller = Caller("k", "editor", "admin", models)
    body = {"model_templates": {"org/a": "x"}} if "templates" in path else {"model": name}
    status, _, _ = ask(path, method, json.dumps(body).encode(), caller, StartModel=asked.append, **daemon())
    assert status == code
    assert len(asked) == (path == "/models/load" and code == 200)


@pytest.mark.parametrize(("models", "listed"), [(("org/*",), True), (("b",), False), ((), False), (None, True)])
def test_it_sees_no_others(models: tuple[str, ...] | None, listed: bool) -> None:
    caller = Caller("k", "editor", "infer", models)
    for path, ids in (("/models", ["org/a"]), ("/v1/models", ["org/a", "org/a:fast"])):
        assert [model["id"] for model in ask(path, caller=caller, **daemon())[2]["data"]] == (ids if listed else [])


def test_nor_what_happens_to_them() -> None:
    events: list[Event | Lost] = [
        InstanceChanged("a", Starting(0)),
        InstanceChanged("b", Starting(0)),
        CatalogueChanged(removed=("b", "c")),
    ]
    told = asyncio.run(_watched(events, Caller("k", "editor", "infer", ("b",))))
    assert told == [
        ("b", "status_change", {"status": "loading"}),
        ("b", "model_remove", {}),
        ("*", "models_reload", {}),
    ]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"model":5}', b"\xff"])
def test_what_names_no_model_to_load(body: bytes) -> None:
    code, _, answer = ask("/models/load", "POST", body, **daemon())
    assert (code, answer["error"]["type"]) == (400, "invalid_request_error")


# --- what happens -------------------------------------------------------------------------------------

FAULT = Problem("load_failed", "oh")


def test_what_happens_is_streamed() -> None:
    """A change is told once, whatever the phases it leads through."""
    events: list[Event | Lost] = [
        InstanceChanged("a", Starting(0)),
        InstanceChanged("a", Loading(0, 5)),
        InstanceChanged("a", Ready(0, 5, 1)),
        CatalogueChanged(added=("b",), removed=("c",)),
        InstanceChanged("a", Stopped(0, Exit("ended", signal=15))),
        Lost(3),
        InstanceChanged("a", Stopped()),
        InstanceChanged("b", Failed(0, FAULT, Exit("oh", code=7))),
        InstanceChanged("b", Failed(1, FAULT)),
    ]
    told = asyncio.run(_watched(events))
    assert told == [
        ("a", "status_change", {"status": "loading"}),
        ("a", "status_change", {"status": "loaded"}),
        ("c", "model_remove", {}),
        ("*", "models_reload", {}),
        ("a", "status_change", {"status": "unloaded", "exit_code": 0}),
        ("*", "models_reload", {}),
        ("a", "status_change", {"status": "unloaded", "exit_code": 0}),
        ("b", "status_change", {"status": "failed", "exit_code": 7}),
    ]


async def _watched(events: list[Event | Lost], caller: Caller = ANYBODY) -> list[tuple[str, str, Any]]:
    closed: list[bool] = []

    async def then() -> AsyncGenerator[object, None]:
        for number, event in enumerate(events):
            yield event if isinstance(event, Lost) else Numbered(number, 0.0, event)

    async def answer(_: Call[Any]) -> Any:
        return Stream(Snapshot(last_event=0, instances=[]), then(), lambda: closed.append(True))

    headers = {HEADER: b64encode(msgspec.json.encode(caller)).decode()}
    server = TestServer(application(answer))
    async with TestClient(server) as client, client.get("/models/sse", headers=headers) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        text = await response.text()
    assert closed == [True]
    told = [json.loads(event.removeprefix("data: ")) for event in text.split("\n\n")[:-1]]
    return [(one["model"], one["event"], one["data"]) for one in told]


def test_who_has_left_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llamactl.web.router.PING", 0.01)
    asyncio.run(_left())


async def _left() -> None:
    closed = asyncio.Event()

    async def then() -> AsyncGenerator[object, None]:
        await asyncio.Event().wait()
        yield None

    async def answer(_: Call[Any]) -> Any:
        return Stream(Snapshot(last_event=0, instances=[]), then(), closed.set)

    async with TestClient(TestServer(application(answer))) as client:
        async with client.get("/models/sse") as response:
            assert await response.content.readline() == b":\n"
        async with asyncio.timeout(10):
            await closed.wait()
