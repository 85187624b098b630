"""What a walk found, held against what the catalogue has (pure)."""

from collections.abc import Callable, Iterable
from pathlib import PurePath

import msgspec

from llamactl.catalogue.discover import File, Found
from llamactl.core.model import Model, ScanReport

Unique = Callable[[str, Iterable[str]], str]
"""A name like the first that nobody has, nor is among the second."""


class News(msgspec.Struct, frozen=True):
    """`models` are to be stored; those that the report does not name are as before to everybody but the next walk."""

    models: tuple[Model, ...]
    report: ScanReport


def news(models: Iterable[Model], found: Found, unique: Unique) -> News:
    """Models for new files, other contents for changed ones, other paths for moved ones; nothing is removed.

    A file has been moved when it is new and a model whose file is gone had the same contents.
    """
    of_path: dict[str, list[Model]] = {}
    for model in models:
        of_path.setdefault(model.path, []).append(model)
    gone = {path: of_path[path][0] for path in sorted(found.missing) if path in of_path}
    added: dict[str, Model] = {}
    changed: dict[str, Model] = {}
    moved: dict[str, Model] = {}
    touched: list[Model] = []
    known = 0
    names = {PurePath(path).name for path in gone}
    for file in sorted(found.files, key=lambda file: PurePath(file.path).name not in names):
        old = of_path.get(file.path)
        if old is None and (path := _came_from(file, gone)):
            del gone[path]
            moved |= {model.name: as_in(file, model) for model in of_path[path]}
        elif old is None:
            name = unique(file.name, added)
            added[name] = as_in(file, Model(name=name, path=file.path, size=file.size))
        for model in old or ():
            now = as_in(file, model)
            if msgspec.structs.replace(now, stamp=model.stamp) != model:
                changed[model.name] = now
                continue
            known += 1
            if now.stamp != model.stamp:
                touched.append(now)
    report = ScanReport(
        added=tuple(sorted(added)),
        changed=tuple(sorted(changed)),
        moved=tuple(sorted(moved)),
        missing=tuple(sorted(model.name for path in gone for model in of_path[path])),
        unusable=found.unusable,
        known=known,
    )
    return News((*added.values(), *changed.values(), *moved.values(), *touched), report)


def as_in(file: File, model: Model) -> Model:
    """The model with what is known of its file now. What a llama-server told counts for the contents that it had."""
    return msgspec.structs.replace(
        model,
        path=file.path,
        size=file.size,
        facts=file.facts,
        fingerprint=file.fingerprint,
        stamp=file.stamp,
        projector=file.projector,
        draft=file.draft,
        told=model.told if file.fingerprint == model.fingerprint else None,
    )


def _came_from(file: File, gone: dict[str, Model]) -> str:
    """The path where that file was before, one of the same name first; empty if it is new."""
    same = [path for path, model in gone.items() if model.fingerprint == file.fingerprint and model.size == file.size]
    named = [path for path in same if PurePath(path).name == PurePath(file.path).name]
    return (named or same or [""])[0] if file.fingerprint else ""
