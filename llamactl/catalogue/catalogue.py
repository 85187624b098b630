"""The models by name."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec

from llamactl.catalogue.discover import Found, examine, walk
from llamactl.catalogue.look import Look
from llamactl.catalogue.news import as_in, news
from llamactl.core.errors import NotFound, Refused
from llamactl.core.events import CatalogueChanged
from llamactl.core.model import Model, ScanReport, Told, valid_name
from llamactl.core.shape import split
from llamactl.store import Models


class Catalogue:
    """All in memory, so that a look-up is one; every change is stored first, then told.

    It belongs to the thread of the event loop. `add` and `scan` read from disks on the way: a daemon does the
    reading in a worker thread (`examine_all`, `walk`) and gives the result to `admit` and `apply`.

    Changes raise `StoreFailed` when they cannot be stored, and have not happened then.
    """

    def __init__(self, store: Models, publish: Callable[[CatalogueChanged], object]) -> None:
        self._store = store
        self._publish = publish
        self._models = {model.name: model for model in store.all()}
        self._aliases = {alias: model.name for model in self._models.values() for alias in model.aliases}
        self._missing: frozenset[str] = frozenset()
        self._looks: dict[str, Look] = {}

    def models(self) -> list[Model]:
        """Sorted by name."""
        return sorted(self._models.values(), key=lambda model: model.name)

    def resolve(self, name: str) -> Model:
        """The model of that name or alias; raises `NotFound`."""
        model = self._models.get(name) or self._models.get(self._aliases.get(name, ""))
        if model is None:
            raise NotFound(f"no model is called {_shortened(name)!r}", self._similar(name) + "llamactl models ls")
        return model

    def asked(self, name: str) -> Model:
        """What a request for `name` goes to: a model by name or alias, or a variant of one. Raises `NotFound`."""
        model = self._models.get(name)
        if model is not None:
            return model
        model, variant = self.split(name)
        if not variant:
            return model
        if variant not in model.shapes:
            known = ", ".join(f"{model.name}:{one}" for one in model.variants)
            raise NotFound(f"{model.name} has no variant {variant}", known or f"ask for {model.name}")
        return model.variant(variant)

    def split(self, name: str) -> tuple[Model, str]:
        """The model and the variant that are meant by `name`, the variant being there or not. Raises `NotFound`."""
        if name not in self._models and name not in self._aliases:
            of, variant = split(name)
            if variant and (of in self._models or of in self._aliases):
                return self.resolve(of), variant
        return self.resolve(name), ""

    def get(self, name: str) -> Model | None:
        """The model of that name; an alias does not count."""
        return self._models.get(name)

    def is_missing(self, model: Model) -> bool:
        """Was its file gone when the directories were last looked through?"""
        return model.path in self._missing

    def looks(self) -> dict[str, Look]:
        """What stood in each file when it was last read, for `examine` and `walk`."""
        own = {
            model.path: Look(model.stamp, model.facts, model.fingerprint)
            for model in self._models.values()
            if model.facts is not None
        }
        return self._looks | own

    # --- files -----------------------------------------------------------------------------------

    def add(self, path: str | Path, name: str | None = None) -> Model:
        """The model in a file, under `name` or one made from the file's. Blocks; see `examine_all` and `admit`."""
        [model] = self.admit(examine(path, self.models(), self.looks()), [name])
        return model

    def scan(self, directories: Iterable[str | Path]) -> ScanReport:
        """Every model in `directories` and below. Blocks; see `walk` and `apply`."""
        return self.apply(walk(directories, self.models(), self.looks()))

    def admit(self, found: Found, names: Sequence[str | None]) -> list[Model]:
        """The models of the files that were examined, each under its name, added unless they are there; all or none.

        Without a name, a file that is known stays what it is, and so does one that was moved. Raises `Refused` if
        another file has a name, `BadRequest` if it cannot be one.
        """
        named: dict[str, Model] = {}
        for file, name in zip(found.files, names, strict=True):
            if name is None:
                continue
            holder = self._models.get(valid_name(name)) or self._models.get(self._aliases.get(name, ""))
            if holder is not None and holder.path != file.path:
                raise self._taken(name, holder)
            if holder is None:
                model = named.setdefault(name, as_in(file, Model(name=name, path=file.path, size=file.size)))
                if model.path != file.path:
                    raise Refused(f"{name} would be the name of {model.path} and of {file.path}", "choose another name")
        files = {file.path: file for file in found.files}
        self.apply(msgspec.structs.replace(found, files=tuple(files.values())), named)
        first = {model.path: model for model in reversed(self.models())}
        return [
            first[file.path] if name is None else self.resolve(name)
            for file, name in zip(found.files, names, strict=True)
        ]

    def apply(self, found: Found, named: Mapping[str, Model] = MappingProxyType({})) -> ScanReport:
        """Take in what a walk found: models for new files, what is new of known ones; nothing is removed.

        Models that are `named` already are new besides, whatever the report says.
        """
        new = news(
            [*self._models.values(), *named.values()], found, lambda name, taken: self._unique(name, {*taken, *named})
        )
        report = new.report
        before = {model.name for model in self._models.values() if self.is_missing(model)}
        missing = set(report.missing)
        event = CatalogueChanged(
            added=tuple(sorted({*report.added, *named})),
            changed=tuple(sorted({*report.changed, *report.moved, *(before - missing)})),
            missing=tuple(sorted(missing - before)),
        )
        self._missing = found.missing
        self._looks |= found.looks
        self._put([*named.values(), *new.models], event)
        return report

    # --- names -----------------------------------------------------------------------------------

    def remove(self, name: str) -> Model:
        """Out of the catalogue; its file stays. Returns what was removed, raises `NotFound`."""
        model = self.resolve(name)
        self._store.remove(model.name)
        self._forget(model)
        self._publish(CatalogueChanged(removed=(model.name,)))
        return model

    def rename(self, old: str, new: str) -> Model:
        """The model under its new name, which may have been one of its aliases.

        Raises `NotFound`, `Refused` if another model has the name, `BadRequest` if it cannot be one.
        """
        model = self.resolve(old)
        holder = self._models.get(valid_name(new)) or self._models.get(self._aliases.get(new, ""))
        if holder is not None and holder is not model:
            raise self._taken(new, holder)
        if model.name == new:
            return model
        aliases = tuple(alias for alias in model.aliases if alias != new)
        renamed = msgspec.structs.replace(model, name=new, aliases=aliases)
        self._store.replace(model.name, renamed)
        self._forget(model)
        self._remember(renamed)
        self._publish(CatalogueChanged(added=(new,), removed=(model.name,)))
        return renamed

    def clone(self, name: str, new: str) -> Model:
        """A second model with the same file and settings; raises as `rename` does."""
        model = self.resolve(name)
        holder = self._models.get(valid_name(new)) or self._models.get(self._aliases.get(new, ""))
        if holder is not None:
            raise self._taken(new, holder)
        copy = msgspec.structs.replace(model, name=new, aliases=())
        self._put([copy], CatalogueChanged(added=(new,)))
        return copy

    def change(self, *models: Model) -> None:
        """What is set for the models of these names is now as here, for all of them or for none."""
        self._put(list(models), CatalogueChanged(changed=tuple(model.name for model in models)))

    def free(self, models: Iterable[Model]) -> None:
        """Raises `Refused` or `BadRequest` if these cannot have their names and aliases, for all that is here."""
        coming = {model.name: model for model in models}
        owners = {
            name: model
            for model in self._models.values()
            if model.name not in coming
            for name in (model.name, *model.aliases)
        }
        names = list(coming.items())
        aliases = [(alias, model) for model in coming.values() for alias in model.aliases]
        for name, model in names + aliases:
            holder = owners.setdefault(valid_name(name), model)
            if holder is not model:
                raise self._taken(name, holder)

    def take(self, models: Iterable[Model]) -> None:
        """Models that come from elsewhere: added, or instead of those of the same names; all or none.

        Raises as `free` does.
        """
        coming = list(models)
        self.free(coming)
        there = [model for model in (self._models.get(each.name) for each in coming) if model is not None]
        known = {model.name for model in there}
        self._store.put(*coming)
        for model in there:
            self._forget(model)
        for model in coming:
            self._remember(model)
        names = [model.name for model in coming]
        self._publish(
            CatalogueChanged(
                added=tuple(name for name in names if name not in known),
                changed=tuple(name for name in names if name in known),
            )
        )

    def alias(self, name: str, add: Iterable[str], remove: Iterable[str]) -> Model:
        """The model with other aliases. Raises `NotFound`, `Refused` if another model has one, `BadRequest`."""
        model = self.resolve(name)
        for alias in add:
            holder = self._models.get(valid_name(alias)) or self._models.get(self._aliases.get(alias, ""))
            if holder is not None and (holder is not model or alias == model.name):
                raise self._taken(alias, holder)
        gone = set(remove)
        for alias in gone.difference(model.aliases):
            raise NotFound(f"{alias} is no alias of {model.name}", f"llamactl models show {model.name}")
        aliases = tuple(alias for alias in dict.fromkeys((*model.aliases, *add)) if alias not in gone)
        changed = msgspec.structs.replace(model, aliases=aliases)
        if changed != model:
            self._put([changed], CatalogueChanged(changed=(model.name,)))
            for alias in gone:
                self._aliases.pop(alias, None)
        return changed

    def learn(self, name: str, told: Told) -> None:
        """What the llama-server of a model says of it. Nothing happens if there is no such model any more."""
        model = self._models.get(name)
        if model is not None and model.told != told:
            self._put([msgspec.structs.replace(model, told=told)], CatalogueChanged(changed=(name,)))

    # --- inside ----------------------------------------------------------------------------------

    def _put(self, models: Sequence[Model], event: CatalogueChanged) -> None:
        if models:
            self._store.put(*models)
        for model in models:
            self._remember(model)
        if event != CatalogueChanged():
            self._publish(event)

    def _remember(self, model: Model) -> None:
        self._models[model.name] = model
        self._aliases.update((alias, model.name) for alias in model.aliases)

    def _forget(self, model: Model) -> None:
        del self._models[model.name]
        for alias in model.aliases:
            self._aliases.pop(alias, None)

    def _unique(self, name: str, taken: Iterable[str]) -> str:
        """`name`, or `name-2`, `name-3` … if that is already in use."""
        number, candidate = 1, name
        while candidate in self._models or candidate in self._aliases or candidate in taken:
            number += 1
            ending = f"-{number}"
            candidate = name[: 255 - len(ending)] + ending
        return candidate

    def _taken(self, name: str, holder: Model) -> Refused:
        what = "is an alias of" if name != holder.name else "is already the name of"
        of = holder.name if name != holder.name else holder.path
        return Refused(f"{name} {what} {of}", f"choose another name, or first: llamactl models rm {holder.name}")

    def _similar(self, name: str) -> str:
        """A few names like this one, for a hint. Bounded: clients send names as long and as often as they like."""
        if not name or len(name) > 255:
            return ""
        spelt = {
            known.lower(): known for known in (*self._models, *self._aliases) if known[0].lower() == name[0].lower()
        }
        near = difflib.get_close_matches(name.lower(), sorted(spelt)[:100], 3)
        return f"did you mean {' or '.join(spelt[one] for one in near)}? " if near else ""


def _shortened(name: str) -> str:
    return name if len(name) <= 80 else name[:77] + "..."
