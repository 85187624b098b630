"""Of `responses`. (pure)"""

from typing import Any

import msgspec
from msgspec import Raw

from llamactl.proxy.gather.stream import Gather


class _ResponseEvent(msgspec.Struct):
    type: str
    response: dict[str, Raw] = {}


_response_event = msgspec.json.Decoder(_ResponseEvent).decode
_items = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_ORDER = ("completed_at", "created_at", "id", "model", "object", "output", "status", "usage")
_REASONING = ("id", "summary", "type", "content", "encrypted_content", "status")
_MESSAGE = ("content", "id", "role", "status", "type")


class Response(Gather):
    """The last event has it all, in another order."""

    def __init__(self) -> None:
        super().__init__()
        self._response: dict[str, Raw] | None = None

    def event(self, data: bytes) -> None:
        event = _response_event(data)
        if event.type == "response.completed":
            self._response = event.response

    def body(self) -> bytes | None:
        response = self._response
        if response is None:
            return None
        output = [_item(item) for item in _items(response["output"])]
        whole = {**response, "completed_at": response["created_at"], "output": output}
        return msgspec.json.encode(_ordered(whole, _ORDER))


def _item(item: dict[str, Raw]) -> dict[str, Any]:
    match bytes(item["type"]):
        case b'"reasoning"':
            return _ordered({"status": "completed", **item}, _REASONING)
        case b'"message"':
            return _ordered(item, _MESSAGE)
    return item


def _ordered(members: dict[str, Any], order: tuple[str, ...]) -> dict[str, Any]:
    return {name: members[name] for name in order if name in members} | members
