"""May they? Asked before anything is done for a request."""

import hmac
import ipaddress
from asyncio import BaseTransport
from base64 import b64encode
from collections.abc import Callable, Iterable
from hashlib import sha256
from time import time
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from llamactl.core.access import RANK, TOKEN, Caller, Key, KeyText, Needed, read_key, shown
from llamactl.core.errors import Forbidden, LlamactlError, RateLimited, Unauthorized
from llamactl.core.events import Misuse
from llamactl.proxy.head import Head
from llamactl.proxy.misuse import Misuses
from llamactl.proxy.origins import Origins

if TYPE_CHECKING:
    from llamactl.proxy.rates import Rates

Anonymous = Literal["auto", "none", "infer", "observe"]

_REMEMBERED = 1024
_READS = (b"GET", b"HEAD")
_FOREVER = float("inf")


class TooMany(RateLimited):
    """`lines` are headers that tell about the limit."""

    lines: bytes = b""


class Entered(msgspec.Struct, frozen=True):
    """That a request with this head is let in, as `caller`, as long as these `rules` hold.

    It is `counted` for that in `rates`, if it is limited, and `rate` is how many a minute there may be.
    """

    head: Head
    rules: object
    caller: Caller
    rates: "Rates | None"
    counted: str
    rate: float


class Peer(msgspec.Struct):
    """The other end of a connection; no address: a Unix socket.

    `local`: it is on this machine; `looped`: it came to a loopback address; `counted`: what its requests are counted
    for, where they are limited. IPv6 addresses are given out by the /64. `last` is how its last request came in: the
    next one mostly has the same head.
    """

    address: str = ""
    local: bool = True
    looped: bool = False
    counted: str = ""
    last: Entered | None = None

    @property
    def beyond(self) -> str:
        """What it is counted as if it is on another machine; else empty."""
        return "" if self.local else self.counted


def peer_of(transport: BaseTransport) -> Peer:
    here, there = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
    if not isinstance(there, tuple) or not isinstance(here, tuple):
        return Peer()
    address = _address(there[0])
    counted = str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
    return Peer(str(address), address.is_loopback, _address(here[0]).is_loopback, counted)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def introduce(caller: Caller) -> bytes:
    """The header that tells the web face who asks. Of what clients send it is taken out."""
    return b"X-Llamactl-Caller: %b\r\n" % b64encode(msgspec.json.encode(caller))


class Verifier(Protocol):
    def verify(self, text: str) -> Caller: ...


class _Known:
    """What a credential has been found to be, and until when that holds."""

    __slots__ = ("caller", "rank", "until")

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.rank = RANK[caller.scope]
        self.until = caller.until or _FOREVER


_NOBODY = _Known(Caller())


class Gate:
    """`now` gives seconds since the epoch. Until it is told otherwise nobody has a key, and `anonymous` is auto."""

    def __init__(self, now: Callable[[], float] = time) -> None:
        self._now = now
        self._keys: dict[str, Key] = {}
        self._revoked: frozenset[str] = frozenset()
        self._tokens: Verifier | None = None
        self._anonymous: Anonymous = "auto"
        self._rate = 0.0
        self._rates: Rates | None = None
        self._running: dict[str, int] = {}
        self.used: dict[str, float] = {}
        """Seconds since the epoch by id, of keys used since this was emptied."""
        self.misuses = Misuses()
        self._known: dict[bytes, _Known] = {}
        self._near = self._far = _NOBODY
        self.origins = Origins()
        self._forget()

    def configure(self, *, anonymous: Anonymous, rate: float, tokens: Verifier | None, origins: Origins) -> None:
        """`rate` is requests per minute of each address, for who has no key; 0 for no limit."""
        self._anonymous = anonymous
        self._rate = rate
        self._tokens = tokens
        self.origins = origins
        self._forget()

    def admit(self, keys: Iterable[Key]) -> dict[str, Unauthorized]:
        """These are all keys there are; it counts from the next request on.

        Returns, by id, what to tell the users of those that are gone or have another secret now.
        """
        before, known = self._keys, list(keys)
        self._keys = {key.id: key for key in known if key.revoked is None}
        self._revoked = frozenset(key.id for key in known if key.revoked is not None)
        self._forget()
        ended = {}
        for key in before.values():
            after = self._keys.get(key.id)
            if after is None or after.digest != key.digest:
                why = "was revoked" if after is None else "has another secret now"
                ended[key.id] = Unauthorized(f"the key {key.name} {why}", _HINT)
        return ended

    def expired(self, caller: Caller) -> Unauthorized | None:
        """What to tell who was let in with a key, or a token, that has come to its end since."""
        if not caller.until or self._now() < caller.until:
            return None
        if caller.key.startswith(TOKEN):
            return Unauthorized(f"the token of {caller.name} has expired", "get another one from who issues them")
        return Unauthorized(f"the key {caller.name} has expired", _HINT)

    def _forget(self) -> None:
        self._known = {b"": _NOBODY}
        near: Needed = "observe" if not self._keys and self._tokens is None else ""
        far: Needed = ""
        if self._anonymous != "auto":
            near = far = "" if self._anonymous == "none" else self._anonymous
        self._rules = object()
        self._near = _Known(Caller(scope=near))
        self._far = _Known(Caller(scope=far))
        if self._rates is None and (self._rate or any(key.rate for key in self._keys.values())):
            from llamactl.proxy.rates import Rates

            self._rates = Rates()

    def enter(self, head: Head, peer: Peer) -> tuple[Caller, bytes]:
        """Who asks, and headers that go with the answer. Who has entered must `leave`.

        Raises `Unauthorized`, `Forbidden` or `TooMany`.
        """
        last = peer.last
        if last is None or last.head is not head or last.rules is not self._rules:
            last = self._let_in(head, peer)
        caller = last.caller
        if caller.key:
            self.used[caller.key] = self._now()
            if caller.parallel:
                running = self._running.get(caller.key, 0)
                if running >= caller.parallel:
                    raise self._too_many_at_once(caller, peer, running)
                self._running[caller.key] = running + 1
        if last.rates is None:
            return caller, b""
        lines, wait = last.rates.hit(last.counted, last.rate)
        if wait:
            self.leave(caller)
            raise self._too_many(caller, peer, last.counted, last.rate, lines, wait)
        return caller, lines

    def _let_in(self, head: Head, peer: Peer) -> Entered:
        """Raises `Unauthorized` or `Forbidden`. What holds until somebody changes it is remembered."""
        caller = self._who(head, peer)
        counted, rate = self._counted(caller, head, peer)
        entered = Entered(head, self._rules, caller, self._rates if rate else None, counted, rate)
        known = self._known.get(head.credential)
        peer.last = entered if known is not None and known.until is _FOREVER else None
        return entered

    def _counted(self, caller: Caller, head: Head, peer: Peer) -> tuple[str, float]:
        """What a request is counted for, and how many of them a minute there may be; 0: that is not limited."""
        if caller.key:
            return caller.key, caller.rate
        return peer.counted, self._rate if peer.address and head.route.scope else 0.0

    def demand_model(self, caller: Caller, model: str, peer: Peer) -> None:
        """Raises `Forbidden` if the key is for other models."""
        try:
            caller.demand_model(model)
        except Forbidden:
            self.misuses.note(caller.key, "model", peer.address)
            raise

    def look(self, head: Head, peer: Peer) -> LlamactlError | None:
        """What `enter` would raise, of a request whose body is still to come. Nothing is counted, and how many are
        under way is not looked at: until it is whole there may be fewer."""
        try:
            caller = self._who(head, peer)
        except LlamactlError as error:
            return error
        counted, rate = self._counted(caller, head, peer)
        if rate and self._rates is not None:
            lines, wait = self._rates.left(counted, rate)
            if wait:
                return self._too_many(caller, peer, counted, rate, lines, wait)
        return None

    def _who(self, head: Head, peer: Peer) -> Caller:
        """Raises `Unauthorized` or `Forbidden` for who may not."""
        if peer.looped or (peer.address and self.origins.named):
            self.origins.check_host(head.host)
        if head.upgrade and head.origin:
            self.origins.check_page(head.origin, head.host)
        needed = head.route.scope
        if not needed:
            return _NOBODY.caller
        who = self._known.get(head.credential)
        if who is None or (who.until is not _FOREVER and who.until <= self._now()):
            who = self._identify(head.credential, peer)
        if who is _NOBODY:
            who = self._near if peer.local else self._far
        caller = who.caller
        if who.rank < RANK[needed]:
            if head.credential and not caller.key:
                raise Unauthorized("what is shown as a key is none of this server", _HINT)
            if caller.key:
                self.misuses.note(caller.key, "scope", peer.address)
            caller.demand(needed)
        if head.origin and not caller.key and head.method not in _READS:
            self.origins.check_page(head.origin, head.host)
        return caller

    def leave(self, caller: Caller) -> None:
        """Its answer is out, or it has gone."""
        if caller.parallel:
            left = self._running.get(caller.key, 0) - 1
            if left > 0:
                self._running[caller.key] = left
            else:
                self._running.pop(caller.key, None)

    def _too_many_at_once(self, caller: Caller, peer: Peer, running: int) -> TooMany:
        self.misuses.note(caller.key, "parallel", peer.address)
        who = f"the key {caller.name}"
        return TooMany(f"{who} has {running} requests under way, and may have no more", retry_after=1.0)

    def _too_many(self, caller: Caller, peer: Peer, counted: str, rate: float, lines: bytes, wait: float) -> TooMany:
        if caller.key:
            self.misuses.note(caller.key, "rate", peer.address)
        who = f"the key {caller.name}" if caller.key else counted
        error = TooMany(f"{who} has sent more than {rate:.3g} requests a minute", retry_after=wait)
        error.lines = lines
        return error

    def _identify(self, credential: bytes, peer: Peer) -> _Known:
        """Whose it is. What is no key of ours is nobody's: SDKs send one where none is needed."""
        text = shown(credential)
        known = _NOBODY
        if key_text := read_key(text):
            known = self._key(key_text, peer)
        elif self._tokens is not None and text.count(".") == 2:
            try:
                known = _Known(self._tokens.verify(text))
            except Unauthorized:
                self.misuses.note("", "token", peer.address)
                raise
        if len(self._known) >= _REMEMBERED:
            self._known = {b"": _NOBODY}
        self._known[credential] = known
        return known

    def _key(self, text: KeyText, peer: Peer) -> _Known:
        """Of one that was revoked the secret is not looked at: it may be somebody else who has only its id."""
        key = self._keys.get(text.id)
        digest = sha256(text.secret.encode()).hexdigest()
        if key is None or not hmac.compare_digest(digest, key.digest):
            what: Misuse = "revoked" if text.id in self._revoked else "unknown" if key is None else "secret"
            self.misuses.note("" if what == "unknown" else text.id, what, peer.address)
            raise Unauthorized(f"the key llk_{text.id}_… is not known, or not any more", _HINT)
        if key.expires is not None and key.expires <= self._now():
            self.misuses.note(key.id, "expired", peer.address)
            raise Unauthorized(f"the key {key.name} has expired", _HINT)
        return _Known(key.caller())


_HINT = "llamactl keys ls shows those there are"
