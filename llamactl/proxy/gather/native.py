"""Of `completion` and `infill`, as llama.cpp has them. (pure)"""

import msgspec
from msgspec import Raw

from llamactl.proxy.gather.stream import Gather

_members = msgspec.json.Decoder(dict[str, Raw]).decode


class _Piece(msgspec.Struct):
    index: int
    content: str
    stop: bool
    completion_probabilities: list[Raw] = []


_piece = msgspec.json.Decoder(_Piece).decode


class Native(Gather):
    def __init__(self) -> None:
        super().__init__()
        self._pieces: dict[int, list[_Piece]] = {}
        self._ends: dict[int, dict[str, Raw]] = {}

    def event(self, data: bytes) -> None:
        piece = _piece(data)
        self._pieces.setdefault(piece.index, []).append(piece)
        if piece.stop:
            self._ends[piece.index] = _members(data)

    def body(self) -> bytes | None:
        if not self._ends or self._ends.keys() != self._pieces.keys():
            return None
        answers = [self._answer(index) for index in sorted(self._ends)]
        return msgspec.json.encode(answers[0] if len(answers) == 1 else answers)

    def _answer(self, index: int) -> dict[str, object]:
        pieces = self._pieces[index]
        answer: dict[str, object] = {**self._ends[index], "content": "".join(piece.content for piece in pieces)}
        if "generation_settings" in self._ends[index]:
            settings = _members(self._ends[index]["generation_settings"])
            answer["generation_settings"] = settings | {"stream": Raw(b"false")}
        if probabilities := [one for piece in pieces for one in piece.completion_probabilities]:
            answer["completion_probabilities"] = probabilities
        return answer
