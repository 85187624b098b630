"""A worker: a process that lends what its machine computes with to llama-servers of others, over llama.cpp's RPC."""

import ipaddress

import msgspec

from llamactl.core.errors import BadRequest, Refused

PORT = 50052
"""The port of llama.cpp's own examples."""


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a worker is to be started.

    `host` is an IPv4 address. `device` are names of devices with commas between, empty for all; `memory` bytes that
    it says it has, `threads` of its CPU; None is left to the program. `cache`: it keeps tensors that it was sent.
    """

    host: str
    port: int
    device: str = ""
    memory: int | None = None
    threads: int | None = None
    cache: bool = False

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


def checked(order: Order, *, insecure: bool) -> Order:
    """The order, with a host that the program takes. Raises `BadRequest`; `Refused` if others could reach it."""
    host = "127.0.0.1" if order.host == "localhost" else order.host
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        raise BadRequest(
            f"not an address that a worker can listen on: {host!r}", "write an IPv4 address: 127.0.0.1:50052"
        ) from None
    if not 0 < order.port < 65536:
        raise BadRequest(f"no port has the number {order.port}", "choose one from 1 to 65535")
    if not address.is_loopback and not insecure:
        raise Refused(
            f"{host} can be reached from other machines, and the protocol has no authentication:"
            " whoever connects can use the worker, and may be able to take over this account",
            "listen on 127.0.0.1 and tunnel (ssh -L), or write --insecure in a network that you trust",
        )
    return msgspec.structs.replace(order, host=host)


def addresses(setting: object) -> tuple[str, ...]:
    """Those in a model's setting `rpc`: `10.0.0.2:50052,10.0.0.3:50052`."""
    return tuple(dict.fromkeys(part.strip() for part in str(setting or "").split(",") if part.strip()))
