"""`llamactl api`: what is asked of it, and the answer as it came."""

import io
import json
import sys
from pathlib import Path

import pytest

from llamactl.cli.api import described
from llamactl.core.errors import Refused
from llamactl.rpc.calls import CALLS
from tests.cli.conftest import Llamactl
from tests.cli.stub import Stub


def test_the_answer_is_what_came(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers["models.show"] = lambda name: {"name": name, "of a later version": [1, None]}
    said = llamactl("api", "models.show", '{"name": "a/b:c"}')
    assert (said.code, said.out) == (0, '{"name":"a/b:c","of a later version":[1,null]}\n')
    assert stub.asked == [("models.show", {"name": "a/b:c"})]


@pytest.mark.parametrize("given", ["-", "@file.json"])
def test_parameters_are_read(
    given: str, stub: Stub, llamactl: Llamactl, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b'\xef\xbb\xbf{"name": "gemma-2b",\n "drain": 1}\n'
    monkeypatch.chdir(home)
    (home / "file.json").write_bytes(text)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    stub.answers["instances.stop"] = None
    assert llamactl("api", "instances.stop", given).out == "null\n"
    assert stub.asked == [("instances.stop", {"name": "gemma-2b", "drain": 1})]


@pytest.mark.parametrize(
    ("typed", "code", "says"),
    [
        (["api"], 2, "llamactl api --list"),
        (["api", "model.shw"], 4, "did you mean models.show"),
        (["api", "nothing at all"], 4, "llamactl api --list"),
        (["api", "models.show"], 2, "missing required field `name`"),
        (["api", "models.show", '{"name": 1}'], 2, "Expected `str`, got `int` - at `$.name`"),
        (["api", "models.show", '{"name": "a", "nmae": 1}'], 2, "unknown field `nmae`"),
        (["api", "models.show", '{"name'], 2, "not JSON"),
        (["api", "models.show", "@nowhere.json"], 4, "nowhere.json"),
        (["api", "daemon.reload"], 5, "it says no"),
    ],
)
def test_what_cannot_be_asked(stub: Stub, llamactl: Llamactl, typed: list[str], code: int, says: str) -> None:
    stub.answers["daemon.reload"] = Refused("it says no")
    said = llamactl(*typed)
    assert said.code == code and says in said.err, said.err
    error = llamactl(*typed, "--json").json()["error"]
    assert error["exit"] == code


def test_list(llamactl: Llamactl) -> None:
    assert llamactl("api", "--list", "-o", "name").out.split() == sorted(CALLS)
    rows = {row["name"]: row for row in llamactl("api", "--list", "--json").json()["items"]}
    assert rows["models.show"]["params"] == ["name"] and rows["models.show"]["answer"] == "ModelDetail"
    assert (
        rows["instances.stop"]["params"] == ["name", "[drain]", "[wait]"]
        and rows["instances.stop"]["scope"] == "control"
    )
    assert rows["models.list"]["answer"] == "list[ModelRow]" and rows["daemon.stop"]["answer"] == "null"


def test_describe(llamactl: Llamactl) -> None:
    found = llamactl("api", "models.show", "--describe").json()
    assert (found["method"], found["scope"]) == ("models.show", "observe")
    for call in CALLS.values():
        found = described(call)
        assert found["params"]["$ref"].removeprefix("#/$defs/") in found["$defs"]
        for reference in {word for word in json.dumps(found).split('"') if word.startswith("#/")}:
            assert reference.removeprefix("#/$defs/") in found["$defs"]
