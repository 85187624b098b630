"""Of `messages`, as Anthropic has them. (pure)"""

from typing import Any

import msgspec
from msgspec import Raw

from llamactl.proxy.gather.stream import Gather

_members = msgspec.json.Decoder(dict[str, Raw]).decode


class _Usage(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None = None


class _Block(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Or a change to one: what is text is added to what is there."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    id: str | None = None
    name: str | None = None
    partial_json: str | None = None
    input: Any = None


class _AnthropicEvent(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    index: int = 0
    message: dict[str, Raw] = {}
    content_block: _Block | None = None
    delta: Raw = Raw(b"{}")
    usage: dict[str, Raw] = {}


_anthropic_event = msgspec.json.Decoder(_AnthropicEvent).decode
_block = msgspec.json.Decoder(_Block).decode


class Message(Gather):
    def __init__(self) -> None:
        super().__init__()
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, _Block] = {}
        self._complete = False

    def event(self, data: bytes) -> None:
        event = _anthropic_event(data)
        match event.type:
            case "message_start":
                self._message = {**event.message, "usage": _members(event.message["usage"])}
            case "content_block_start" if event.content_block is not None:
                self._blocks[event.index] = event.content_block
            case "content_block_delta":
                self._add(self._blocks[event.index], _block(event.delta))
            case "message_delta":
                self._message |= _members(event.delta)
                self._message["usage"] |= event.usage
            case "message_stop":
                self._complete = True
            case "content_block_stop" | "ping":
                pass
            case other:
                raise KeyError(other)

    @staticmethod
    def _add(block: _Block, delta: _Block) -> None:
        block.text = _joined(block.text, delta.text)
        block.thinking = _joined(block.thinking, delta.thinking)
        block.signature = _joined(block.signature, delta.signature)
        block.partial_json = _joined(block.partial_json, delta.partial_json)

    def body(self) -> bytes | None:
        if not self._complete or not self._message:
            return None
        blocks = [_told(block) for _, block in sorted(self._blocks.items())]
        return msgspec.json.encode(self._message | {"content": blocks})


def _joined(one: str | None, more: str | None) -> str | None:
    return one if more is None else (one or "") + more


def _told(block: _Block) -> _Block | dict[str, object]:
    if block.type != "tool_use":
        return block
    try:
        given = msgspec.json.decode(block.partial_json or "")
    except msgspec.DecodeError:
        given = {}
    return {"type": block.type, "id": block.id, "name": block.name, "input": given}
