"""`llamactl requests`: tables, lines and data."""

import json
import time
from typing import Any

import msgspec
import pytest

from llamactl.core.errors import NotFound
from llamactl.core.requests import ModelRequest
from llamactl.rpc.calls import Bodies
from tests.cli.conftest import Llamactl
from tests.cli.stub import Stub

UNDER_WAY = ModelRequest(id="r-2", at=1700000001.0, model="qwen3:8b", endpoint="completions", state="waiting", queued=1)
ENDED = ModelRequest(
    id="r-1", at=1700000000.125, model="qwen3:8b", endpoint="chat/completions", client="127.0.0.1", key="ab",
    status=200, error="client_left", queued=0.25, loading=1.5, first=2.0, duration=14.5, prompt_tokens=100,
    cached_tokens=31, generated_tokens=50, draft_tokens=20, accepted_tokens=15, prompt_rate=123.45,
    generation_rate=40.25, finish="length",
)  # fmt: skip


@pytest.fixture(autouse=True)
def asked(stub: Stub) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []

    def answer(**filters: Any) -> list[ModelRequest]:
        asked.append(filters)
        return [UNDER_WAY, ENDED]

    stub.answers["requests.list"] = answer
    return asked


@pytest.mark.parametrize("words", [["requests"], ["requests", "ls"], ["requests", "list"]])
def test_the_table(llamactl: Llamactl, words: list[str]) -> None:
    said = llamactl(*words)
    head, waiting, ended = said.out.splitlines()
    assert head.split() == ["ID", "AT", "MODEL", "STATE", "FIRST", "TOOK", "TOKENS", "TOK/S"]
    assert waiting.split()[0] == "r-2" and "waiting" in waiting
    assert "200 client_left" in ended
    assert ended.split()[-4:] == ["2.000", "14.5", "50", "40.2"]
    assert "Nov 1" in ended, "not of today: with its day"


def test_one_of_today_fits_into_80_columns(llamactl: Llamactl, stub: Stub) -> None:
    now = time.time()
    name, id = "smollm2-135m-instruct", "d9ee8343a1eb-1"
    request = msgspec.structs.replace(ENDED, id=id, at=now, model=name, error="")
    stub.answers["requests.list"] = lambda **_: [request]
    head, row = llamactl("requests").out.splitlines()
    assert len(head) - 7 <= 80 and len(row) - 7 <= 80, "columns come closer on a terminal: a space less between eight"
    if time.localtime(now)[:3] == time.localtime()[:3]:
        assert time.strftime("%T", time.localtime(now)) in row


def test_all_of_it(llamactl: Llamactl) -> None:
    ended = llamactl("-o", "wide", "requests").out.splitlines()[2]
    more = {"chat/completions", "0.250", "100", "1.500", "31", "15/20", "123.5", "length", "ab", "127.0.0.1"}
    assert more <= {*ended.split()}


def test_filters(llamactl: Llamactl, asked: list[dict[str, Any]]) -> None:
    llamactl("requests", "ls", "--model", "q", "--key", "ab", "--status", "429", "-n", "5")
    llamactl("requests", "--since", "@1700000000")
    assert asked == [{"model": "q", "key": "ab", "status": 429, "limit": 5}, {"since": 1700000000.0}]
    assert llamactl("requests", "--since", "soon").code == 2


def test_as_data(llamactl: Llamactl) -> None:
    waiting, ended = llamactl("--json", "requests").json()["items"]
    assert (waiting["status"], waiting["state"], waiting["first"]) == (None, "waiting", None)
    assert ended["at"] == "2023-11-14T22:13:20.125Z"
    assert (ended["prompt_tokens"], ended["generation_rate"], ended["finish"]) == (100, 40.25, "length")
    lines = llamactl("-o", "jsonl", "requests").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["r-2", "r-1"]
    assert llamactl("-o", "name", "requests").out == "r-2\nr-1\n"


def test_one(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["requests.show"] = ENDED
    said = llamactl("requests", "show", "r-1").out
    assert stub.asked[-1] == ("requests.show", {"id": "r-1"})
    assert ["loading", "1.500"] in [line.split() for line in said.splitlines()]
    assert llamactl("--json", "requests", "show", "r-1").json()["schema"] == "llamactl.request/v1"
    stub.answers["requests.bodies"] = NotFound("the bodies of r-1 were not captured")
    assert llamactl("requests", "show", "r-1", "--body").code == 4


def test_its_bodies(llamactl: Llamactl, stub: Stub) -> None:
    bodies = Bodies(asked='{"x":1}', answered="data: [1]\n\n", asked_size=7, answered_size=2048)
    stub.answers["requests.show"] = ENDED
    stub.answers["requests.bodies"] = bodies
    said = llamactl("requests", "show", "r-1", "--body").out
    assert 'asked, 7 B:\n{"x":1}\n' in said
    assert "answered, 2 KiB:\ndata: [1]\n" in said
    assert "answered, " not in llamactl("requests", "show", "r-1").out
    assert llamactl("--json", "requests", "show", "r-1", "--body").json()["bodies"]["asked"] == '{"x":1}'


def test_cancelling(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["requests.cancel"] = None
    assert llamactl("requests", "cancel", "r-2").code == 0
    assert stub.asked[-1] == ("requests.cancel", {"id": "r-2"})
    stub.answers["requests.cancel"] = NotFound("no request r-3 is under way")
    assert llamactl("requests", "cancel", "r-3").code == 4


def test_nothing_yet(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["requests.list"] = []
    said = llamactl("requests")
    assert (said.out, said.code) == ("", 0)
    assert "nothing was asked" in said.err
