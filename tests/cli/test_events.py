"""What happened, in words and as data."""

import msgspec
import pytest

from llamactl.cli.events import _what
from llamactl.core.events import CatalogueChanged, Event, InstanceChanged, Numbered, ServiceChanged
from llamactl.core.instance import Ready
from tests.cli.conftest import Llamactl
from tests.cli.stub import Stub
from tests.rpc.test_calls import EVENTS

FOUND = [
    Numbered(7, 1_700_000_000.125, InstanceChanged("qwen", Ready(5.0, 42, 1.25))),
    Numbered(8, 1_700_000_001.0, CatalogueChanged(added=("a", "b"), missing=("c",))),
]


def test_a_line_each(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["events.list"] = FOUND
    lines = llamactl("events").out.splitlines()
    assert [line.split()[0] for line in lines] == ["7", "8"]
    assert lines[0].endswith("instance   qwen is ready: after 1.2 s")
    assert lines[1].endswith("catalogue  added a, b; missing c")
    assert stub.asked == [("events.list", {"limit": 20})]


def test_as_data(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["events.list"] = FOUND
    data = llamactl("events", "--json", "--type", "instance", "--type", "catalogue").json()
    assert data["schema"] == "llamactl.events/v1"
    assert data["items"][1] == {
        "id": 8, "at": "2023-11-14T22:13:21.000Z", "type": "catalogue", "added": ["a", "b"], "removed": [],
        "changed": [], "missing": ["c"],
    }  # fmt: skip
    assert stub.asked == [("events.list", {"types": ["instance", "catalogue"], "limit": 20})]
    lines = [msgspec.json.decode(line) for line in llamactl("events", "-o", "jsonl").out.splitlines()]
    assert [(line["schema"], line["id"]) for line in lines] == [("llamactl.event/v1", 7), ("llamactl.event/v1", 8)]


def test_all_since_a_number(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["events.list"] = lambda since, limit: [each for each in FOUND if each.id > since][:1]
    assert llamactl("events", "--since", "6", "-o", "name").out == "7\n8\n"


@pytest.mark.parametrize("event", [*EVENTS, ServiceChanged("web", "up")], ids=lambda event: type(event).__name__)
def test_every_event_can_be_said(event: Event) -> None:
    said = _what(event)
    assert said and "Struct" not in said and "None" not in said
