"""Could a daemon listen where it is to?"""

import errno
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from llamactl.core.finding import Finding, ok, problem
from llamactl.doctor.case import Case
from llamactl.metrics import host


def check(case: Case) -> Iterator[Finding]:
    """Only where no daemon runs: the one that does listens."""
    if case.remote or case.status is not None or case.denied:
        return
    http = case.config.http
    specs = (f"{http.host}:{http.port}", *http.listen)
    found = [finding for spec in specs for finding in _taken(spec)]
    yield from found or [ok("ports", f"{', '.join(specs)} can be listened on")]


def _taken(spec: str) -> Iterator[Finding]:
    if spec.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as caller, suppress(OSError):
            caller.setblocking(False)
            caller.connect(spec.removeprefix("unix://"))
            yield problem(
                "port-taken",
                f"somebody listens on {spec}",
                f"{Path(spec).name} is in http.listen, and another program has it",
                "llamactl config get http.listen",
            )
        return
    name, _, port = spec.rpartition(":")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            name.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as trial:
            # Bound and not listening, it is in nobody's way, not even in that of a daemon that starts now.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        why = getattr(error, "strerror", None) or str(error)
        if number == errno.EADDRINUSE:
            who = host.listener(int(port)) or "another program, of another user"
            if not who.startswith("systemd "):  # which hands it over to the daemon that it starts
                yield problem(
                    "port-taken",
                    f"port {port} is in use",
                    f"{who} listens on it",
                    f"llamactl config set http.port {int(port) + 1}",
                )
        elif number in (errno.EACCES, errno.EPERM):
            yield problem(
                "port-privileged",
                f"port {port} is not for this user",
                "ports below 1024 take a privilege",
                "llamactl config set http.port 8134",
            )
        else:
            yield problem("address-unusable", f"{spec} cannot be listened on", why, "llamactl config get http.host")
