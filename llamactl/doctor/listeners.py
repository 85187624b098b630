"""Could a daemon listen where it is to?"""

import errno
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from llamactl.core.errors import BadRequest
from llamactl.core.finding import Finding, ok, problem
from llamactl.daemon import ports
from llamactl.doctor.case import Case
from llamactl.metrics import host


def check(case: Case) -> Iterator[Finding]:
    """Only where no daemon runs: the one that does listens."""
    if case.remote or case.status is not None or case.denied:
        return
    http = case.config.http
    first = f"{http.host}:{http.port}"
    found = list(_taken(first, "http.host", f"llamactl config set http.port {http.port + 1}"))
    for spec in http.listen:
        found += _taken(spec, "http.listen")
    yield from found or [ok("ports", f"{', '.join((first, *http.listen))} can be listened on")]


def _taken(spec: str, key: str, another: str = "") -> Iterator[Finding]:
    """`key` is where it was set, `another` the command for another port, if that is a key of its own."""
    look = f"llamactl config get {key}"
    if spec.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as caller, suppress(OSError):
            caller.setblocking(False)
            caller.connect(spec.removeprefix("unix://"))
            yield problem(
                "port-taken",
                f"somebody listens on {spec}",
                f"{Path(spec).name} is in http.listen, and another program has it",
                look,
            )
        return
    try:
        trial, address = ports.unbound(spec)
    except BadRequest as error:
        yield problem("address-unusable", f"{spec} cannot be listened on", error.message, look)
        return
    port = address[1]
    try:
        with trial:  # bound and not listening it is in nobody's way, not even in that of a daemon that starts now
            trial.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            who = host.listener(port) or "another program, of another user"
            if not who.startswith("systemd "):  # which hands it over to the daemon that it starts
                yield problem(
                    "port-taken",
                    f"port {port} is in use",
                    f"{who} listens on it",
                    another or look,
                )
        elif error.errno in (errno.EACCES, errno.EPERM):
            yield problem(
                "port-privileged",
                f"port {port} is not for this user",
                "ports below 1024 take a privilege",
                look if not another else "llamactl config set http.port 8134",
            )
        else:
            yield problem("address-unusable", f"{spec} cannot be listened on", error.strerror or str(error), look)
