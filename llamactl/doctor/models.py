"""Are the models' files there and as they were, and would their settings do?"""

from collections.abc import Iterator, Mapping
from typing import Any

import anyio
import msgspec

from llamactl.catalogue.verify import verify
from llamactl.core.errors import LlamactlError, NotFound, Refused, StoreFailed
from llamactl.core.finding import Finding, ok, problem, warning
from llamactl.core.model import Setting
from llamactl.core.units import show_size
from llamactl.daemon.launch import Launch
from llamactl.doctor.case import Case
from llamactl.rpc.calls import Check, ListModels, ModelDetail, ModelRow, ShowModel, Verification, VerifyModel
from llamactl.store.glance import glance

CODES = {"files": "model-missing", "mmproj": "companion-unusable", "draft": "companion-unusable"}
"""By check; all others that are about files say that one has changed."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A model with what was verified of it and what counts for it."""

    name: str
    size: int
    checks: tuple[Check, ...]
    settings: Mapping[str, Setting | None]


def check(case: Case) -> Iterator[Finding]:
    subjects = _kept(case) if case.status is None else _asked(case)
    count, sound = 0, True
    for subject in subjects:
        count += 1
        for finding in (*_wrong(subject), *_locked(subject, case)):
            sound = False
            yield finding
    if sound:
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
    yield warning(
        "memlock-low",
        f"{subject.name} is to be locked in memory ({show_size(subject.size)})",
        f"{runner.user} may lock {show_size(runner.memlock)}; llama-server goes on without, and says so in its log",
        f"systemctl edit {runner.unit}: [Service] LimitMEMLOCK=infinity"
        if runner.unit
        else f"echo '{runner.user} - memlock unlimited' | sudo tee /etc/security/limits.d/llamactl.conf",
    )


def _asked(case: Case) -> Iterator[Subject]:
    """As the daemon finds them."""
    with case.connect(case.limit) as client:
        rows: list[ModelRow] = client.call(ListModels())
        for row in rows:
            detail: ModelDetail = client.call(ShowModel(row.name))
            found: Verification = client.call(VerifyModel(row.name))
            settings = {setting.name: setting.value for setting in detail.settings}
            yield Subject(name=row.name, size=row.size, checks=tuple(found.checks), settings=settings)


def _kept(case: Case) -> Iterator[Subject]:
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
            anyio.run(launch.check, model)
        except LlamactlError as error:
            checks.append(Check(check="settings", ok=False, detail=error.message, hint=error.hint))
        yield Subject(name=model.name, size=model.size, checks=tuple(checks), settings=settings)
