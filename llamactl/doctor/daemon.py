"""Does a daemon answer, of this version, with all of its parts?"""

from collections.abc import Iterator

from llamactl import __version__
from llamactl.core.errors import Forbidden, TimedOut, Unauthorized
from llamactl.core.finding import Finding, ok, problem, warning
from llamactl.doctor.case import Case
from llamactl.rpc.calls import DaemonStatus, InstanceRow, ListInstances

FEW = 1024
"""Files that a process may have open at once, wherever nobody limited it further."""


def check(case: Case) -> Iterator[Finding]:
    status = case.status
    if status is None:
        yield _absent(case)
        return
    if status.version != __version__:
        yield problem(
            "version-differs",
            f"the daemon is llamactl {status.version}, this command {__version__}",
            "another version was installed since it was started, or another is on PATH",
            "llamactl daemon reexec",
        )
    yield from _parts(status)
    if status.restart_for:
        yield warning(
            "restart-pending",
            f"the daemon does not know of {', '.join(status.restart_for)}",
            "these keys of the configuration have changed, and count after a restart only",
            case.restart,
        )
    service = case.service
    if service is not None and service.files is not None and service.files < FEW:
        yield warning(
            "files-low",
            f"the daemon may open {service.files} files at once",
            "each request in flight takes two: LimitNOFILE= of its unit, or ulimit -n where it was started",
            case.systemctl("edit") or "ulimit -n 4096 && llamactl daemon restart",
        )
    with case.connect(case.left) as client:
        rows: list[InstanceRow] = client.call(ListInstances(all=True))
    for row in rows:
        if row.state == "failed":
            why = row.problem.message if row.problem else ""
            yield warning("model-failed", f"{row.name} was given up", why, f"llamactl why {row.name}")
    where = ", ".join(status.http)
    who = f" as {service.user}" if service is not None else ""
    yield ok("daemon", f"llamactl {status.version} runs{who} (pid {status.pid}) on {where}, with {status.data}")


def _absent(case: Case) -> Finding:
    assert case.refusal is not None
    why, hint = case.refusal.message, case.refusal.hint
    if isinstance(case.refusal, TimedOut):
        return problem("daemon-silent", "the daemon does not answer", why, "llamactl logs -n 20")
    if isinstance(case.refusal, Unauthorized | Forbidden):
        return problem("daemon-forbidden", "the daemon does not answer who has no key that is enough", why, hint)
    if case.named:
        return problem("daemon-unreachable", "the daemon that was named does not answer", why, hint)
    if case.denied:
        return problem("daemon-forbidden", "a daemon is there, and not for this user", why, "sudo llamactl doctor")
    return warning("daemon-absent", "no daemon runs", why, "llamactl daemon start")


def _parts(status: DaemonStatus) -> Iterator[Finding]:
    for service in status.services:
        if service.state != "up":
            yield problem(
                "service-down",
                f"{service.name}, a part of the daemon, is {service.state}",
                service.reason,
                "llamactl logs -n 50",
            )
