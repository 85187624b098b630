"""`GET /api/requests`."""

from typing import Any

import pytest

from llamactl.core.requests import ModelRequest
from llamactl.rpc.calls import ListRequests
from tests.web.test_app import ask

ONE = ModelRequest(id="r-1", at=1700000000.125, model="qwen", endpoint="completions", status=200, generated_tokens=8)


def test_all_of_them() -> None:
    code, _, body = ask("/api/requests", ListRequests=[ONE])
    assert (code, body["success"]) == (200, True)
    [found] = body["data"]["requests"]
    assert (found["id"], found["at"], found["generated_tokens"]) == ("r-1", "2023-11-14T22:13:20.125Z", 8)
    assert body["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("query", "call"),
    [
        ("", ListRequests()),
        ("?model=qwen&key=ab&status=429&limit=5", ListRequests(model="qwen", key="ab", status=429, limit=5)),
        ("?since=1700000000.5", ListRequests(since=1700000000.5)),
        ("?since=2023-11-14T22:13:20Z", ListRequests(since=1700000000.0)),
        ("?since=2023-11-14T23:13:20+01:00", ListRequests(since=1700000000.0)),
    ],
)
def test_filters(query: str, call: ListRequests) -> None:
    asked: list[Any] = []

    def answer(call: Any) -> list[ModelRequest]:
        asked.append(call)
        return []

    assert ask(f"/api/requests{query}", ListRequests=answer)[0] == 200
    assert asked == [call]


@pytest.mark.parametrize("query", ["?status=many", "?limit=1001", "?limit=-1", "?since=soon", "?colour=red"])
def test_what_is_no_filter(query: str) -> None:
    code, _, body = ask(f"/api/requests{query}")  # the daemon is not asked
    assert (code, body["success"], body["error"]["code"]) == (400, False, "bad_request")
