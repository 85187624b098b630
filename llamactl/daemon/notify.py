"""What a service manager hears of the daemon: sd_notify(3), a datagram to `NOTIFY_SOCKET`."""

import logging
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

log = logging.getLogger(__name__)

PATIENCE = 1.0
"""Seconds for a service manager with a full queue to make room in it, for what is not said a second time."""

STARTING = 90.0
"""Seconds for the daemon to be up again; as many as systemd has for a start."""


class Notify:
    """Without a service manager all of this does nothing.

    `watchdog`: seconds after which it ends a daemon that is not heard of; None where it does not.
    """

    def __init__(self, environment: Mapping[str, str], pid: int) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._up = False
        patience, whose = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", str(pid))
        watched = self._address and patience.isdecimal() and whose == str(pid)
        self.watchdog = int(patience) / 1e6 or None if watched else None

    def __bool__(self) -> bool:
        return bool(self._address)

    def ready(self, status: str) -> None:
        self._up = True
        self._tell(READY=1, STATUS=status, **self._watched_for(self.watchdog))

    def status(self, text: str) -> None:
        self._tell(0.0, STATUS=text)

    def alive(self) -> None:
        self._tell(0.0, WATCHDOG=1)

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """While the configuration is read again."""
        self._reload()
        try:
            yield
        finally:
            if self._up:
                self._tell(READY=1)

    def leaving(self) -> None:
        """It executes itself anew, and will be `ready` again."""
        self._reload(**self._watched_for(self.watchdog and max(self.watchdog, STARTING)))

    def _reload(self, **more: object) -> None:
        if self._up:
            self._tell(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000, **more)

    def _watched_for(self, seconds: float | None) -> dict[str, object]:
        return {} if seconds is None else {"WATCHDOG_USEC": int(seconds * 1e6)}

    def stopping(self, status: str) -> None:
        self._up = False
        self._tell(STOPPING=1, STATUS=status)

    def patience(self, seconds: float) -> None:
        """Something is under way, and more will be heard of it within this time."""
        self._tell(EXTEND_TIMEOUT_USEC=int(seconds * 1e6))

    def _tell(self, patience: float = PATIENCE, /, **what: object) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(patience)
            try:
                sender.sendto("\n".join(f"{name}={value}" for name, value in what.items()).encode(), self._address)
            except OSError as error:
                log.debug("the service manager cannot be told of %s: %s", ", ".join(what), error)
