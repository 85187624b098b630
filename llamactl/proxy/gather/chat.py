"""Of `chat/completions`. (pure)"""

import msgspec
from msgspec import Raw

from llamactl.proxy.gather.stream import ABSENT, Gather


class _Function(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    arguments: str = ""


class _Call(msgspec.Struct, forbid_unknown_fields=True):
    index: int
    id: str = ""
    type: str = "function"
    function: _Function = msgspec.field(default_factory=_Function)


class _Delta(msgspec.Struct, forbid_unknown_fields=True):
    role: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_Call] = []


class _Choice(msgspec.Struct, forbid_unknown_fields=True):
    index: int
    delta: _Delta
    finish_reason: str | None = None


class _Chunk(msgspec.Struct, forbid_unknown_fields=True):
    choices: list[_Choice]
    created: Raw
    id: Raw
    model: Raw
    object: str
    system_fingerprint: Raw = ABSENT
    usage: Raw = ABSENT
    timings: Raw = ABSENT
    prompt_progress: Raw = ABSENT


_chunk = msgspec.json.Decoder(_Chunk).decode


class _Said:
    """What has been said of one choice."""

    def __init__(self) -> None:
        self.finish: str | None = None
        self.content: list[str] = []
        self.reasoning: list[str] = []
        self.calls: dict[int, _Call] = {}

    def add(self, delta: _Delta) -> None:
        if delta.content:
            self.content.append(delta.content)
        if delta.reasoning_content:
            self.reasoning.append(delta.reasoning_content)
        for more in delta.tool_calls:
            call = self.calls.setdefault(more.index, more)
            if call is not more:
                call.id += more.id
                call.function.name += more.function.name
                call.function.arguments += more.function.arguments

    def choice(self, index: int) -> dict[str, object]:
        message: dict[str, object] = {"role": "assistant", "content": "".join(self.content)}
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        if self.calls:
            message["tool_calls"] = [
                {"type": call.type, "function": call.function} | ({"id": call.id} if call.id else {})
                for _, call in sorted(self.calls.items())
            ]
        return {"finish_reason": self.finish, "index": index, "message": message}


class Chat(Gather):
    """`choices` by index. Of `usage` and `timings` llama-server tells those of the first choice."""

    def __init__(self) -> None:
        super().__init__()
        self._choices: dict[int, _Said] = {}
        self._ended = -1  # the choice that ended last: what comes without a choice is about that
        self._usage: dict[int, Raw] = {}
        self._timings: dict[int, Raw] = {}
        self._last: _Chunk | None = None

    def event(self, data: bytes) -> None:
        chunk = _chunk(data)
        self._last = chunk
        for choice in chunk.choices:
            said = self._choices.setdefault(choice.index, _Said())
            said.add(choice.delta)
            if choice.finish_reason is not None:
                said.finish = choice.finish_reason
                self._ended = choice.index
        if chunk.usage != ABSENT:
            self._usage[self._ended] = chunk.usage
        if chunk.timings != ABSENT and (not chunk.choices or chunk.choices[0].finish_reason is not None):
            self._timings[self._ended] = chunk.timings

    def body(self) -> bytes | None:
        last = self._last
        if last is None or 0 not in self._usage or any(said.finish is None for said in self._choices.values()):
            return None
        answer = {
            "choices": [said.choice(index) for index, said in sorted(self._choices.items())],
            "created": last.created,
            "model": last.model,
            "system_fingerprint": last.system_fingerprint,
            "object": "chat.completion",
            "usage": self._usage[0],
            "id": last.id,
            "timings": self._timings.get(0, ABSENT),
        }
        return msgspec.json.encode({name: value for name, value in answer.items() if value != ABSENT})
