"""Sockets that systemd listens on for the daemon, and hands over when it starts it: sd_listen_fds(3)."""

import os
from collections.abc import MutableMapping

import msgspec

from llamactl.core.errors import Refused

FIRST = 3
"""The file descriptor of the first one."""


class Activated(msgspec.Struct, frozen=True, kw_only=True):
    """Their file descriptors, by what `FileDescriptorName=` says of them."""

    control: int | None = None
    proxy: tuple[int, ...] = ()


def activated(environment: MutableMapping[str, str], pid: int) -> Activated:
    """To be asked once: afterwards nothing in `environment` tells of them. Raises `Refused` for one of another name."""
    count, names, whose = (environment.pop(f"LISTEN_{each}", "") for each in ("FDS", "FDNAMES", "PID"))
    found: dict[str, list[int]] = {"control": [], "proxy": []}
    if whose == str(pid) and count.isdecimal():
        for number, name in enumerate(names.split(":")[: int(count)], FIRST):
            os.set_inheritable(number, False)
            if name not in found:
                raise Refused(
                    f"systemd hands over a socket whose name is {name!r}, and not control or proxy",
                    "set FileDescriptorName= in its socket unit",
                )
            found[name].append(number)
    if len(found["control"]) > 1:
        raise Refused("systemd hands over more than one control socket", "systemctl list-sockets")
    return Activated(control=next(iter(found["control"]), None), proxy=tuple(found["proxy"]))
