"""Looks for models in directories. All of it blocks on the disk: run it in a worker thread.

It takes values and gives values; what it found becomes part of the catalogue in the thread that owns that,
see `Catalogue.apply` and `Catalogue.admit`.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec

from llamactl.catalogue import look
from llamactl.catalogue.beside import Links, Neighbour
from llamactl.catalogue.candidates import Identity, Patterns, absolute, candidates, first_part, stem
from llamactl.catalogue.gguf import NotUsable, printable
from llamactl.catalogue.look import Files, Look
from llamactl.core.facts import Facts
from llamactl.core.model import Companion, Model, Unusable, name_from_file

READERS = 2
"""Files read at the same time: one waits for the disk while the other computes. More would only keep the interpreter
from the event loop."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A model on disk: `path` is the first of its files, absolute, `size` the bytes of all of them.

    `name` is what to call it. A file that the catalogue knows by another path comes under that path. The rest is as in
    `Model`.
    """

    path: str
    size: int
    name: str
    facts: Facts
    fingerprint: str = ""
    stamp: str = ""
    projector: Companion | None = None
    draft: Companion | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk found, and which paths of known models lead to nothing any more.

    `looks` are for the next walk, which reads nothing again that is as it was. `unsettled` are files that somebody is
    still writing: they are looked at another time.
    """

    files: tuple[File, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    missing: frozenset[str] = frozenset()
    looks: dict[str, Look] = {}
    unsettled: tuple[str, ...] = ()


def examine(path: str | Path, known: Iterable[Model] = (), looks: Mapping[str, Look] | None = None) -> Found:
    """One model, given any of its files by an absolute path; what lies beside it is looked at too.

    Raises `NotUsable`.
    """
    return examine_all([path], known, looks)


def examine_all(
    paths: Iterable[str | Path], known: Iterable[Model] = (), looks: Mapping[str, Look] | None = None
) -> Found:
    """The same of several: there is a file for each, in their order. Raises `NotUsable` for the first that is none."""
    asked = [first_part(absolute(Path(path))) for path in paths]
    beside = candidates({path.parent for path in asked}, [], deep=False)
    walked = _Walk(known, looks or {})
    walked.see([*dict.fromkeys(asked), *sorted(set(beside) - set(asked))])
    files = []
    for path in asked:
        if path in walked.unusable:
            raise walked.unusable[path]
        this = walked.usable[walked.identities[path]]
        if this.neighbour.no_model:
            raise NotUsable(path, this.neighbour.no_model)
        files.append(walked.file(this))
    return Found(files=tuple(files), missing=walked.missing, looks=walked.looks)


def walk(
    directories: Iterable[str | Path],
    known: Iterable[Model] = (),
    looks: Mapping[str, Look] | None = None,
    *,
    patterns: Patterns = Patterns(),
    enter: Callable[[Path], object] = lambda directory: None,
    quiet: float = 0.0,
    go_on: Callable[[], object] = lambda: None,
) -> Found:
    """Every model in `directories` and below, each file once, and what became of the `known` ones.

    A model is a `*.gguf` (or a `*.bin` that begins as one), whatever its case; `name-00001-of-00005.gguf` and its like
    are one model. Projectors and what only drafts are no models, but linked to those they belong to. What was written
    less than `quiet` seconds ago is not settled yet. For `patterns` and `enter` see `candidates`. Nothing is raised for
    what is found: it is listed as unusable.
    """
    refused: list[NotUsable] = []
    walked = _Walk(known, looks or {}, quiet, go_on)
    walked.see(sorted(candidates(directories, refused, patterns, enter)))
    files = [walked.file(one) for one in walked.usable.values() if not one.neighbour.no_model]
    linked = {file.draft.path for file in files if file.draft}
    useless = [
        NotUsable(Path(one.neighbour.path), one.neighbour.no_model)
        for one in walked.usable.values()
        if one.neighbour.no_model and not one.neighbour.is_projector and one.neighbour.path not in linked
    ]
    return Found(
        files=tuple(sorted(files, key=lambda file: file.path)),
        unusable=tuple(
            sorted(
                (Unusable(printable(e.path), e.reason) for e in (*refused, *useless, *walked.unusable.values())),
                key=lambda one: one.path,
            )
        ),
        missing=walked.missing,
        looks=walked.looks,
        unsettled=tuple(map(printable, walked.unsettled)),
    )


class _Usable(NamedTuple):
    files: Files
    look: Look
    neighbour: Neighbour


class _Walk:
    """The files seen so far."""

    def __init__(
        self,
        known: Iterable[Model],
        looks: Mapping[str, Look],
        quiet: float = 0.0,
        go_on: Callable[[], object] = lambda: None,
    ) -> None:
        self._known, self.missing = _identify(known)
        self._looks = looks
        self._quiet = quiet
        self._go_on = go_on
        self.looks: dict[str, Look] = {}
        self.usable: dict[Identity, _Usable] = {}
        self.identities: dict[Path, Identity] = {}
        self.unusable: dict[Path, NotUsable] = {}
        self.unsettled: list[Path] = []
        self._links = Links([])

    def see(self, paths: Iterable[Path]) -> None:
        """Of several paths of one file the first counts."""
        distinct: dict[Identity, Files] = {}
        for path in paths:
            try:
                found = look.files(path)
            except NotUsable as error:
                self.unusable[path] = error
                continue
            self.identities[path] = found.identity
            if 0 <= time.time() - found.changed < self._quiet:
                self.unsettled.append(path)
            else:
                distinct.setdefault(found.identity, found)
        readers = ThreadPoolExecutor(READERS, "gguf")
        try:
            for files, seen in zip(distinct.values(), readers.map(self._look, distinct.values()), strict=True):
                self._go_on()
                path = files.paths[0]
                self.looks[str(path)] = seen
                if seen.facts is None:
                    self.unusable[path] = NotUsable(path, seen.reason)
                else:
                    neighbour = Neighbour(str(path), stem(path), files.size, seen.facts)
                    self.usable[files.identity] = _Usable(files, seen, neighbour)
        finally:
            readers.shutdown(cancel_futures=True)
        self._links = Links([one.neighbour for one in self.usable.values()])

    def file(self, one: _Usable) -> File:
        facts = one.look.facts
        assert facts is not None
        return File(
            path=self._known.get(one.files.identity, one.neighbour.path),
            size=one.files.size,
            name=name_from_file(one.neighbour.stem),
            facts=facts,
            fingerprint=one.look.fingerprint,
            stamp=one.look.stamp,
            projector=self._links.projector(one.neighbour),
            draft=self._links.draft(one.neighbour),
        )

    def _look(self, files: Files) -> Look:
        path = str(files.paths[0])
        seen = self._looks.get(self._known.get(files.identity, path)) or self._looks.get(path)
        return seen if seen is not None and seen.stamp == files.stamp else look.read(files)


def _identify(known: Iterable[Model]) -> tuple[dict[Identity, str], frozenset[str]]:
    """The paths of known models by identity, and those that lead to nothing."""
    identities: dict[Identity, str] = {}
    missing = set()
    for path in sorted({model.path for model in known}):
        try:
            status = Path(path).stat()
            identities.setdefault((status.st_dev, status.st_ino), path)
        except (FileNotFoundError, NotADirectoryError):
            missing.add(path)
        except (OSError, ValueError):
            continue  # it may be there: a disk that is away for a moment loses no model
    return identities, frozenset(missing)
