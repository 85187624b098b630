"""Writing down, thing by thing, what becomes of a file that is imported."""

from pathlib import Path

from llamactl.config.imports.report import Imported, ImportedModel
from llamactl.config.sources import find
from llamactl.config.values import read
from llamactl.config.written import Plain, shown
from llamactl.core.errors import BadRequest
from llamactl.core.imported import Note


class Ledger:
    def __init__(self, format: str, base: Path) -> None:
        """`base` is where relative paths start, the directory of the file."""
        self.base = base
        self.models: list[ImportedModel] = []
        self.templates: dict[str, str] = {}
        self._format = format
        self._keys: dict[str, Plain] = {}
        self._notes: list[Note] = []

    def close(self) -> Imported:
        return Imported(
            format=self._format,
            keys=self._keys,
            models=tuple(self.models),
            templates=self.templates,
            notes=tuple(self._notes),
        )

    def key(self, what: str, key: str, value: Plain, why: str = "") -> None:
        """It is this key of ours: taken as it is, or translated, which `why` explains. Invalid if it cannot be that."""
        kind = find(key)[1]
        try:
            became = f"{key} = {shown(kind, read(kind, value, self.base))}"
        except BadRequest as error:
            self.invalid(what, error.message)
            return
        self._keys[key] = value
        self._notes.append(Note(what, "translated" if why else "taken", became, why))

    def taken(self, what: str, became: str) -> None:
        self._notes.append(Note(what, "taken", became))

    def translated(self, what: str, became: str, why: str) -> None:
        self._notes.append(Note(what, "translated", became, why))

    def left(self, what: str, why: str) -> None:
        self._notes.append(Note(what, "left", why=why))

    def left_once(self, what: str, why: str) -> None:
        """What every model has."""
        if all(note.what != what for note in self._notes):
            self.left(what, why)

    def invalid(self, what: str, why: str) -> None:
        self._notes.append(Note(what, "invalid", why=why))
