"""Are the models' files there and as they were, and would their settings do?"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import anyio
import msgspec

from llamactl.catalogue.verify import verify
from llamactl.core.errors import LlamactlError, NotFound, Refused, StoreFailed, TimedOut
from llamactl.core.finding import Code, Finding, ok, problem, warning
from llamactl.core.model import Model, Setting
from llamactl.core.units import show_size
from llamactl.daemon.launch import Launch
from llamactl.doctor.case import Case
from llamactl.rpc.calls import (
    Check,
    Engine,
    EngineRow,
    ListModels,
    ModelDetail,
    ModelRow,
    ShowModel,
    Verification,
    VerifyModel,
)
from llamactl.store.glance import glance

CODES: dict[str, Code] = {"files": "model-missing", "mmproj": "companion-unusable", "draft": "companion-unusable"}
"""By check; all others that are about files say that one has changed."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A model with what was verified of it and what counts for it."""

    name: str
    size: int
    checks: tuple[Check, ...]
    settings: Mapping[str, Setting | None]


def check(case: Case) -> Iterator[Finding]:
    until = time.monotonic() + case.left
    count, sound = 0, True
    for subject in _kept(case, until) if case.status is None else _asked(case):
        count += 1
        for finding in (*_wrong(subject), *_locked(subject, case)):
            sound = False
            yield finding
        if time.monotonic() > until:
            raise TimedOut(f"{count} of them were looked at; there are many, or this machine is busy")
    if not count:
        yield ok("models", "no model is in the catalogue")
    elif sound:
        yield ok("models", f"{count} model{'' if count == 1 else 's'} in the catalogue, files and settings are sound")


def _wrong(subject: Subject) -> Iterator[Finding]:
    name = subject.name
    for one in subject.checks:
        if one.ok is not False:
            continue
        if one.check == "settings":
            yield problem("settings-refused", f"{name} cannot be started as it is set", one.detail, one.hint)
            continue
        code = CODES.get(one.check, "model-changed")
        what = {"model-missing": "has no file any more", "model-changed": "is not the file that it was"}
        fix = f"llamactl models rm {name}" if code == "model-missing" else f"llamactl models verify {name}"
        yield problem(code, f"{name} {what.get(code, f'has a {one.check} that cannot be used')}", one.detail, fix)
        if one.check in ("files", "size"):
            return  # what else is found of it follows


def _locked(subject: Subject, case: Case) -> Iterator[Finding]:
    """Memory that is to stay in memory must be allowed to."""
    runner, settings = case.runner, subject.settings
    wanted = settings.get("mlock") is True or "mlock" in str(settings.get("load_mode", ""))
    if not wanted or runner.memlock is None or runner.memlock >= subject.size:
        return
    edit = case.systemctl("edit")
    where = "LimitMEMLOCK= of its unit" if edit else "memlock in limits.conf(5), from the next login on"
    yield warning(
        "memlock-low",
        f"{subject.name} is to be locked in memory ({show_size(subject.size)})",
        f"{runner.user} may lock {show_size(runner.memlock)}, and llama-server goes on without: the limit is {where}",
        edit or f"echo '{runner.user} - memlock unlimited' | sudo tee /etc/security/limits.d/llamactl.conf",
    )


def _asked(case: Case) -> Iterator[Subject]:
    """As the daemon finds them."""
    limit = case.runner.memlock
    with case.connect(case.left) as client:
        rows: list[ModelRow] = client.call(ListModels())
        engine: EngineRow = client.call(Engine())
        for row in rows:
            found: Verification = client.call(VerifyModel(row.name))
            checks, settings = found.checks, dict[str, Setting | None]()
            if engine.problem is not None or (limit is not None and limit < row.size):  # else nobody asks for them
                detail: ModelDetail = client.call(ShowModel(row.name))
                settings = {setting.name: setting.value for setting in detail.settings}
            if engine.problem is not None and "server_path" not in settings:  # that is told of the engine
                checks = [check for check in checks if check.check != "settings"]
            yield Subject(name=row.name, size=row.size, checks=tuple(checks), settings=settings)


def _kept(case: Case, until: float) -> Iterator[Subject]:
    """As they are kept in the database, which no daemon uses."""
    try:
        kept = glance(case.directories.database)
    except (NotFound, Refused, StoreFailed):  # the check of the database tells
        return
    launch = Launch(lambda: case.config, lambda: kept.defaults, kept.presets.get)
    for model in kept.models:
        checks = [Check(check=one.check, ok=one.ok, detail=one.detail) for one in verify(model, deep=False)]
        settings: dict[str, Any] = {}
        try:
            settings = launch.values(model)
            anyio.run(_tried, launch, model, until)
        except TimedOut:
            raise
        except LlamactlError as error:
            checks.append(Check(check="settings", ok=False, detail=error.message, hint=error.hint))
        yield Subject(name=model.name, size=model.size, checks=tuple(checks), settings=settings)


async def _tried(launch: Launch, model: Model, until: float) -> None:
    """Raises what `Launch.check` does, but nothing about the llama-server of all models: a check of its own tells."""
    with anyio.move_on_after(max(0.0, until - time.monotonic())) as waiting:
        try:
            await launch.engine()
        except LlamactlError:
            if "server_path" not in launch.settings(model):
                return
        await launch.check(model)
    if waiting.cancelled_caught:
        raise TimedOut(f"llama-server took too long to say what it can do for {model.name}")
