"""Which web pages may use the door: by the origin they come from, and by the name they have for us. (pure)"""

import ipaddress
from collections.abc import Iterable
from contextlib import suppress

from llamactl.core.errors import Forbidden

EXPOSED = b"X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After"
_PREFLIGHT = (
    b"Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\nAccess-Control-Max-Age: 600\r\n"
)
_ASKED = b"access-control-request-headers"
_REMEMBERED = 256


class Origins:
    """`allowed` are origins like `https://chat.example`, or `*`. `hosts` are values of `Host`.

    Without `hosts` every name is answered to that cannot be made to point here by somebody else: those of `listeners`
    (`host:port`), of this machine itself, and addresses.
    """

    def __init__(
        self, allowed: Iterable[str] = (), hosts: Iterable[str] | None = None, listeners: Iterable[str] = ()
    ) -> None:
        self._allowed = frozenset(origin.rstrip("/").lower().encode() for origin in allowed)
        self.named = hosts is not None
        self._hosts = None if hosts is None else frozenset(host.lower().encode() for host in hosts)
        self._listeners = frozenset(_name(spec.lower().encode()) for spec in listeners)
        self._good: set[bytes] = set()

    def check_host(self, host: bytes) -> None:
        """A page whose own name was made to point here (DNS rebinding) has that name in `Host`. Raises `Forbidden`."""
        if host in self._good:
            return
        if not self._answers_to(host.lower()):
            raise Forbidden(
                f"not a name of this server: {host.decode('latin-1')[:100]!r}",
                "http.allowed_hosts has those that it answers to",
            )
        if len(self._good) >= _REMEMBERED:
            self._good.clear()
        self._good.add(host)

    def _answers_to(self, host: bytes) -> bool:
        if not host:
            return True  # no browser
        name = _name(host)
        if self._hosts is not None:
            return host in self._hosts or name in self._hosts
        if name == b"localhost" or name.endswith(b".localhost") or name in self._listeners:
            return True
        with suppress(ValueError, UnicodeDecodeError):
            ipaddress.ip_address(name.decode())
            return True
        return False

    def lines(self, origin: bytes) -> bytes:
        """Headers for an answer to a page of this origin; none for one that may not read it."""
        if not self._may(origin):
            return b"Vary: Origin\r\n" if self._allowed else b""
        return b"Access-Control-Allow-Origin: %b\r\nVary: Origin\r\nAccess-Control-Expose-Headers: %b\r\n" % (
            origin,
            EXPOSED,
        )

    def preflight(self, origin: bytes, headers: list[bytes]) -> bytes:
        """What is added to those in the answer to `OPTIONS`. `headers` are flat: name, `: `, value, CRLF, name …

        Raises `Forbidden`.
        """
        if not self._may(origin):
            page = origin.decode("latin-1")[:100]
            raise Forbidden(f"pages of {page} may not use this server", "http.cors_origins has those that may")
        asked = [headers[i + 2] for i in range(0, len(headers), 4) if headers[i].lower() == _ASKED]
        return _PREFLIGHT + b"".join(b"Access-Control-Allow-Headers: %b\r\n" % value for value in asked[:1])

    def check_page(self, origin: bytes, host: bytes) -> None:
        """For what browsers let pages of any origin do unless the server minds. Raises `Forbidden`."""
        same = origin.partition(b"://")[2].lower() == host.lower()
        if not same and not self._may(origin):
            page = origin.decode("latin-1")[:100]
            raise Forbidden(f"pages of {page} may not do that here", "http.cors_origins has those that may")

    def _may(self, origin: bytes) -> bool:
        return b"*" in self._allowed or origin.lower() in self._allowed


def _name(host: bytes) -> bytes:
    """Without its port, and brackets."""
    if host.startswith(b"["):
        return host[1:].partition(b"]")[0]
    return host.rpartition(b":")[0] if host.count(b":") == 1 else host
