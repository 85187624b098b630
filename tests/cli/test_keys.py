"""What the commands about keys ask, and what they make of the answer."""

import time
from datetime import datetime

import pytest

from llamactl.rpc.calls import KeyRow, NewKey
from tests.cli.conftest import Llamactl
from tests.cli.stub import Stub

ROW = KeyRow(
    id="ab12", name="editor", scopes=("infer", "control"), models=("q*",), rate=5.0, created=1e9, last_used=2e9
)
TEXT = "llk_ab12_0123456789abcdef"


@pytest.fixture
def keys(stub: Stub) -> Stub:
    stub.answers["keys.list"] = [ROW]
    stub.answers["keys.revoke"] = ROW
    for method in ("create", "rotate"):
        stub.answers[f"keys.{method}"] = NewKey(key=ROW, text=TEXT)
    return stub


def test_making_one(keys: Stub, llamactl: Llamactl) -> None:
    said = llamactl("keys", "create", "editor")
    assert said.out == TEXT + "\n", "nothing else, so that it can be put into a file"
    assert "not shown again" in said.err and TEXT not in said.err
    before = time.time()
    llamactl(
        *("keys", "create", "e", "--scope", "observe", "--scope", "control", "--model", "a*", "--model", "b"),
        *("--expires", "2d", "--rate", "2/s", "--parallel", "3", "--priority", "-1", "--wait", "reasoning"),
    )
    asked = keys.asked[1][1]
    assert before + 172800 <= asked.pop("expires") <= time.time() + 172800
    assert keys.asked[0] == ("keys.create", {"name": "editor", "scopes": ["infer"], "rate": 0.0})
    assert asked == {
        "name": "e", "scopes": ["observe", "control"], "models": ["a*", "b"], "rate": 120.0, "parallel": 3,
        "priority": -1, "wait": "reasoning",
    }  # fmt: skip


def test_when_it_ends(keys: Stub, llamactl: Llamactl) -> None:
    llamactl("keys", "create", "e", "--expires", "2040-01-31")
    assert keys.asked[0][1]["expires"] == datetime(2040, 1, 31).timestamp()
    assert llamactl("keys", "create", "e", "--expires", "soon").code == 2
    assert llamactl("keys", "create", "e", "--rate", "many").code == 2
    assert llamactl("keys", "create", "e", "--scope", "root").code == 2
    assert llamactl("keys", "create", "e", "--wait", "long").code == 2
    assert len(keys.asked) == 1


def test_listing(keys: Stub, llamactl: Llamactl) -> None:
    said = llamactl("keys").out
    assert "infer,control" in said and "q*" in said and "5/min" in said and "REVOKED" not in said
    assert "REVOKED" in llamactl("keys", "ls", "-a").out
    item = llamactl("keys", "ls", "--json").json()["items"][0]
    assert item["created"] == "2001-09-09T01:46:40Z" and item["expires"] is None and item["models"] == ["q*"]
    assert llamactl("keys", "list", "-o", "name").out == "editor\n"
    keys.answers["keys.list"] = []
    assert "keys create NAME" in llamactl("keys").err
    assert [asked[1] for asked in keys.asked[:2]] == [{}, {"all": True}]


def test_changing(keys: Stub, llamactl: Llamactl) -> None:
    assert "editor (ab12) is revoked" in llamactl("keys", "revoke", "ab12").err
    assert llamactl("keys", "rotate", "editor").out == TEXT + "\n"
    assert llamactl("keys", "rotate", "editor", "--json").json()["text"] == TEXT
    assert llamactl("keys", "revoke", "ab12", "--json").json()["name"] == "editor"
    assert keys.asked[:2] == [("keys.revoke", {"id": "ab12"}), ("keys.rotate", {"id": "editor"})]
