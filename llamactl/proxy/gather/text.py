"""Of `completions` as OpenAI has them. (pure)"""

import msgspec
from msgspec import Raw

from llamactl.proxy.gather.stream import ABSENT, Gather


class _Logprobs(msgspec.Struct, forbid_unknown_fields=True):
    content: list[Raw]


class _TextChoice(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    index: int
    logprobs: _Logprobs | None
    finish_reason: str | None


class _TextChunk(msgspec.Struct, forbid_unknown_fields=True):
    choices: list[_TextChoice]
    created: Raw
    model: Raw
    object: str
    id: Raw
    system_fingerprint: Raw = ABSENT
    usage: Raw = ABSENT
    timings: Raw = ABSENT
    prompt_progress: Raw = ABSENT


_text_chunk = msgspec.json.Decoder(_TextChunk).decode


class Text(Gather):
    def __init__(self) -> None:
        super().__init__()
        self._texts: dict[int, list[str]] = {}
        self._probs: dict[int, list[Raw]] = {}
        self._ends: dict[int, tuple[_TextChunk, _TextChoice]] = {}

    def event(self, data: bytes) -> None:
        chunk = _text_chunk(data)
        choice = chunk.choices[0]
        self._texts.setdefault(choice.index, []).append(choice.text)
        if choice.logprobs is not None:
            self._probs.setdefault(choice.index, []).extend(choice.logprobs.content)
        if choice.finish_reason is not None:
            self._ends[choice.index] = chunk, choice

    def body(self) -> bytes | None:
        if 0 not in self._ends or self._ends.keys() != self._texts.keys():
            return None
        choices = []
        for index, (_, choice) in sorted(self._ends.items()):
            probs = self._probs.get(index)
            choice.text = "".join(self._texts[index])
            choice.logprobs = None if probs is None else _Logprobs(probs)
            choices.append(choice)
        first = self._ends[0][0]
        answer = {
            "choices": choices,
            "created": first.created,
            "model": first.model,
            "system_fingerprint": first.system_fingerprint,
            "object": first.object,
            "usage": first.usage,
            "id": first.id,
            "timings": first.timings,
        }
        return msgspec.json.encode({name: value for name, value in answer.items() if value != ABSENT})
