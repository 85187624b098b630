"""`llamactl doctor`: what is wrong, why, and what to do about it."""

import sys
import textwrap
import time
from pathlib import Path
from typing import Annotated

import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.config.sockets import control_sockets
from llamactl.core.errors import LlamactlError
from llamactl.core.finding import Finding
from llamactl.core.units import parse_duration

WIDTH = 80
_MARKS = {"ok": ("✓", "+", 32), "warning": ("!", "!", 33), "problem": ("✗", "x", 31)}
"""What is shown, what where there is only ASCII, and in which colour."""


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Mend what is safe to mend: leftovers, modes, orphans.")] = False,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="How long it may take altogether.")] = "1.8s",
) -> None:
    """Look for what is wrong: cause and way out. Exit 1 if something is; warnings alone are none."""
    from llamactl.doctor import repairs
    from llamactl.doctor.case import take
    from llamactl.doctor.examine import examine

    limit = parse_duration(timeout)
    until = max(session.began + limit, time.monotonic() + limit / 4)  # to begin has taken long on a busy machine
    with render.working("looking …"):
        case = take(
            session.client,
            control_sockets(host=session.host),
            until=until,
            named=bool(session.named),
            file=Path(session.config) if session.config else None,
        )
        findings = examine(case)
    if fix:
        mended = list(repairs.repair(findings, case.directories))
        for said in dict.fromkeys(said for _, said in mended if said):
            render.note(said)
        findings = [finding for finding, _ in mended]
    _show(findings)
    if _count(findings, "problem"):
        raise typer.Exit(LlamactlError.exit)


def _count(findings: list[Finding], level: str) -> int:
    return sum(finding.level == level and not finding.repaired for finding in findings)


def _show(findings: list[Finding]) -> None:
    problems, warnings = _count(findings, "problem"), _count(findings, "warning")
    match session.output:
        case "json":
            summary = {"healthy": not problems, "problems": problems, "warnings": warnings}
            render.data("doctor", {**summary, "items": findings})
        case "jsonl":
            for finding in findings:
                render.data("finding", finding)
        case "name":
            for finding in findings:
                if finding.level != "ok":
                    render.text(finding.code)
        case _:
            for finding in findings:
                _tell(finding)
            counted = (render.count(problems, "problem"), render.count(warnings, "warning"))
            told = [words for words, number in zip(counted, (problems, warnings), strict=True) if number]
            render.note(", ".join(told) or "nothing is wrong")


def _tell(finding: Finding) -> None:
    """In lines of 80 columns, but that commands stay whole: they are there to be copied."""
    fine, plain, colour = _MARKS["ok" if finding.repaired else finding.level]
    mark = fine if session.fine(sys.stdout) else plain
    shown = render.painted(mark, colour if render.coloured() else 0)
    said = f"{finding.message} (mended)" if finding.repaired else finding.message
    first, *more = _wrapped(said, 2) or [""]
    render.text(f"{shown} {first.lstrip()}")
    for line in [*more, *_wrapped(finding.cause, 4)]:
        render.text(line)
    if finding.fix and not finding.repaired:
        render.text(f"    try: {finding.fix}")


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
