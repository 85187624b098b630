"""What all routes of `/api` have in common."""

import asyncio
import logging
from datetime import datetime
from io import BytesIO
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from llamactl.core.access import RANK, SCOPES, Caller
from llamactl.core.errors import BY_CODE, LoadFailed
from llamactl.proxy.routing import route as door_route
from llamactl.rpc.calls import ShowModel
from llamactl.rpc.messages import LONGEST
from llamactl.web.api.route import Route
from llamactl.web.api.table import routes
from llamactl.web.app import application
from llamactl.web.guests import Guests
from tests.web.test_app import ask

ROUTES = routes(Guests())
CONTROL = Caller("k", "n", "control")

every_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")


def test_no_two_are_the_same() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
    assert len({route.handler.__name__ for route in ROUTES}) == len(ROUTES)


def test_nothing_below_api_is_answered_that_is_not_in_the_table() -> None:
    async def nobody(call: Any) -> Any:
        raise AssertionError(call)

    known = application(nobody).router.routes()
    found = {(each.method, each.resource.canonical) for each in known if each.resource is not None}
    assert {(verb, path) for verb, path in found if path.startswith("/api") and verb != "HEAD"} == {
        (route.method, route.path) for route in ROUTES
    }


@every_route
def test_who_may_less_is_refused_before_anything_is_read(route: Route) -> None:
    """The daemon is not asked, and what is wrong with the body is not looked at. Nor does the door ask for more."""
    less = SCOPES[RANK[route.scope] - 2]
    path = route.path.replace("{name}", "org%2Fa")
    code, _, body = ask(f"{path}?colour=red", route.method, b"{", Caller("k", "n", less))
    assert (code, body["error"]["code"]) == (403, "forbidden")
    assert f"llamactl keys create NAME --scope {route.scope}" == body["error"]["details"]
    assert RANK[door_route(route.method.encode(), path.encode()).scope] <= RANK[route.scope]


@every_route
def test_a_parameter_that_it_does_not_know_is_refused(route: Route) -> None:
    path = route.path.replace("{name}", "a")
    code, _, body = ask(f"{path}?colour=red", route.method, caller=Caller("k", "n", "admin"))
    assert (code, body["error"]["code"]) == (400, "bad_request")
    assert "colour" in body["error"]["message"] + body["error"]["details"]


@pytest.mark.parametrize("error", BY_CODE.values(), ids=list(BY_CODE))
def test_each_error_has_its_status(error: Any) -> None:
    code, headers, body = ask("/api/models/a", ShowModel=error("what", "then", retry_after=1.5))
    assert datetime.fromisoformat(body.pop("timestamp")).tzinfo is not None
    told = {"code": error.code, "message": "what", "details": "then"}
    assert (code, body) == (error.status, {"success": False, "error": told})
    assert headers["Retry-After"] == "2"


def test_who_is_not_told_when_to_come_again_may_try_at_once_but_for_503() -> None:
    assert "Retry-After" not in ask("/api/models/a", ShowModel=BY_CODE["not_found"]("no"))[1]
    assert ask("/api/models/a", ShowModel=LoadFailed("no"))[1]["Retry-After"] == "1"


def test_names_have_their_slashes_escaped() -> None:
    asked: list[Any] = []

    def answer(call: ShowModel) -> None:
        asked.append(call)

    assert ask("/api/models/org%2Fa%20b%3Ac", ShowModel=answer)[0] == 200
    assert ask("/api/models/100%25", ShowModel=answer)[0] == 200
    assert asked == [ShowModel("org/a b:c"), ShowModel("100%")]
    assert ask("/api/models/org/a", ShowModel=answer)[0] == 404


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/api/models", b'{"models": [{"path": "/a"}, {"path": 1}]}', "body.models[1].path"),
        ("/api/models", b'{"models": [{"path": "a"}]}', "body.models[0].path"),
        ("/api/models", b'{"models": []}', "body.models"),
        ("/api/models", b'{"models"', "body"),
        ("/api/models", b'"\xff"', "body"),
        ("/api/models", b"[" * 100_000, "body"),
        ("/api/models/a/start", b'{"ttl": "soon"}', "body.ttl"),
        ("/api/models/a/start?wait=perhaps", b"", "query.wait"),
        ("/api/models/a/start?wait=true&wait=false", b"", "query.wait"),
        ("/api/models/a/stop?wait=true", b"", "query.wait"),
        ("/api/models/a/analyze", b'{"parallel": 0}', "body.parallel"),
        ("/api/models/a/analyze", b'{"parallel": 1.5}', "body.parallel"),
        ("/api/models/a/analyze", b'{"parallel": "1"}', "body.parallel"),
    ],
)
def test_the_place_of_what_does_not_fit_is_told(path: str, body: bytes, place: str) -> None:
    code, _, answer = ask(path, "POST", body, CONTROL)  # the daemon is not asked
    assert (code, answer["error"]["code"], answer["error"]["details"]) == (400, "bad_request", place)


def test_what_is_not_there_is_said_in_the_same_shape() -> None:
    code, _, body = ask("/api/nothing")
    assert (code, body["success"], body["error"]["details"]) == (404, False, "GET /api/openapi.json")
    code, headers, body = ask("/api/models", "DELETE")
    assert (code, body["success"], set(headers["Allow"].split(","))) == (405, False, {"GET", "HEAD", "POST"})
    code, _, body = ask("/api/models", "POST", BytesIO(b" " * (LONGEST + 1)), CONTROL)
    assert (code, body["error"]["code"]) == (413, "body_too_large")


def test_a_bug_is_said_in_the_same_shape(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        code, _, body = ask("/api/models/a", ShowModel=ZeroDivisionError("oh"))
    assert (code, body["success"], body["error"]["code"]) == (500, False, "error")
    assert "GET /api/models/a failed" in caplog.text


def test_a_head_has_no_body() -> None:
    async def daemon(call: Any) -> Any:
        return []

    async def run() -> tuple[int, bytes]:
        async with TestClient(TestServer(application(daemon))) as client, client.head("/api/models") as response:
            return response.status, await response.read()

    assert asyncio.run(run()) == (200, b"")


def test_what_is_written_is_what_is_checked() -> None:
    _, _, document = ask("/api/openapi.json")
    for route in ROUTES:
        operation = document["paths"][route.path][route.method.lower()]
        assert operation["security"] == [{"bearer": [route.scope]}, {"key": [route.scope]}]
        assert operation["summary"] and "\n" not in operation["summary"]
        queried = msgspec.structs.fields(route.query) if route.query else ()
        given = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
        assert given == {field.encode_name for field in queried}
        assert ("requestBody" in operation) == (route.body is not None)
    assert {*document["paths"]} == {route.path for route in ROUTES}
    assert document["openapi"].startswith("3.1")
