"""All checks at once, and an end for all: what hangs hangs in its thread."""

import threading
import time
from collections.abc import Callable, Iterator

from llamactl.core.errors import LlamactlError, TimedOut
from llamactl.core.finding import Finding, problem, warning
from llamactl.doctor import configuration, daemon, engine, leftovers, listeners, login, models, sockets, storage
from llamactl.doctor.case import Case

Check = Callable[[Case], Iterator[Finding]]

CHECKS: dict[str, Check] = {
    "the daemon": daemon.check,
    "sockets": sockets.check,
    "leftovers": leftovers.check,
    "the configuration": configuration.check,
    "ports": listeners.check,
    "llama-server": engine.check,
    "models": models.check,
    "the database": storage.check_database,
    "disk space": storage.check_space,
    "the login": login.check,
}


def examine(case: Case, checks: dict[str, Check] = CHECKS) -> list[Finding]:
    """In the order of the checks, at `case.until` at the latest."""
    running = [(name, *_begin(name, check, case)) for name, check in checks.items()]
    findings: list[Finding] = []
    for name, thread, found in running:
        thread.join(max(0.0, case.until - time.monotonic()))
        findings += found
        if thread.is_alive():
            findings.append(_unfinished(name, "something hangs, or this machine is busy"))
    return findings


def _begin(name: str, check: Check, case: Case) -> tuple[threading.Thread, list[Finding]]:
    found: list[Finding] = []

    def run() -> None:
        try:
            found.extend(check(case))  # one by one, as they come
        except TimedOut as error:
            found.append(_unfinished(name, error.message))
        except LlamactlError as error:
            found.append(problem("check-failed", f"{name} cannot be looked at", error.message, error.hint))
        except OSError as error:
            found.append(problem("check-failed", f"{name} cannot be looked at", str(error), "sudo llamactl doctor"))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, found


def _unfinished(name: str, why: str) -> Finding:
    return warning("check-unfinished", f"looking at {name} took too long", why, "llamactl doctor --timeout 15s")
