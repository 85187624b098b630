"""The gate: who is let in, as whom, and how often."""

from hashlib import sha256

import msgspec
import pytest

from llamactl.core.access import Caller, Key, Needed, Scope
from llamactl.core.errors import Forbidden, Unauthorized
from llamactl.proxy.access import Gate, Peer, TooMany, Verifier, peer_of
from llamactl.proxy.head import Head
from llamactl.proxy.misuse import Misuses
from llamactl.proxy.origins import Origins
from llamactl.proxy.routing import Route

SECRET = "0123456789abcdef0123"
KEY = Key(id="abcd", name="editor", digest=sha256(SECRET.encode()).hexdigest())
SHOWN = f"Bearer llk_abcd_{SECRET}".encode()
HERE = Peer("127.0.0.1", True, True, "127.0.0.1")
AWAY = Peer("10.0.0.7", False, False, "10.0.0.7")


def head(credential: bytes = b"", scope: Needed = "infer", host: bytes = b"", origin: bytes = b"") -> Head:
    made = Head()
    made.credential, made.host, made.origin = credential, host, origin
    made.route = Route("web", scope=scope)
    return made


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> Gate:
    return Gate(clock)


def key(**change: object) -> Key:
    return msgspec.structs.replace(KEY, **change)


def may(gate: Gate, scope: Needed, credential: bytes = b"", peer: Peer = HERE) -> bool:
    try:
        caller, _ = gate.enter(head(credential, scope), peer)
    except (Unauthorized, Forbidden):
        return False
    gate.leave(caller)
    return True


def scopes(gate: Gate, credential: bytes = b"", peer: Peer = HERE) -> list[Needed]:
    every: tuple[Needed, ...] = ("", "infer", "observe", "control", "admin")
    return [scope for scope in every if may(gate, scope, credential, peer)]


def configure(gate: Gate, anonymous: str = "auto", rate: float = 0.0, tokens: Verifier | None = None) -> None:
    gate.configure(anonymous=anonymous, rate=rate, tokens=tokens, origins=Origins())  # type: ignore[arg-type]


# --- without a key -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("anonymous", "has_key", "here", "away"),
    [
        ("auto", False, ["", "infer", "observe"], [""]),
        ("auto", True, [""], [""]),
        ("none", False, [""], [""]),
        ("infer", True, ["", "infer"], ["", "infer"]),
        ("observe", False, ["", "infer", "observe"], ["", "infer", "observe"]),
        ("observe", True, ["", "infer", "observe"], ["", "infer", "observe"]),
    ],
)
def test_without_a_key(gate: Gate, anonymous: str, has_key: bool, here: list[str], away: list[str]) -> None:
    gate.admit([KEY] if has_key else [])
    configure(gate, anonymous)
    for credential in (b"", b"Bearer sk-none", b"dummy"):  # SDKs must send one
        assert scopes(gate, credential) == scopes(gate, credential, Peer()) == here
        assert scopes(gate, credential, AWAY) == away


def test_one_that_is_revoked_is_not_there_and_one_that_has_expired_is(gate: Gate) -> None:
    gate.admit([key(revoked=5.0)])
    assert may(gate, "infer")
    gate.admit([key(expires=5.0)])
    assert not may(gate, "infer")


# --- with a key ----------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["infer", "observe", "control", "admin"])
def test_a_key_has_its_scope_and_those_below(gate: Gate, scope: Scope) -> None:
    gate.admit([key(scopes=(scope,))])
    every = ["", "infer", "observe", "control", "admin"]
    for peer in (HERE, AWAY, Peer()):
        assert scopes(gate, SHOWN, peer) == every[: every.index(scope) + 1]
    with pytest.raises(Forbidden if scope != "admin" else Unauthorized):
        gate.enter(head(SHOWN if scope != "admin" else b"", "admin"), HERE)


def test_both_headers_do(gate: Gate) -> None:
    gate.admit([KEY])
    assert may(gate, "infer", SHOWN.removeprefix(b"Bearer "), AWAY)


@pytest.mark.parametrize(
    "shown", [SHOWN[:-1], SHOWN + b"0", SHOWN.replace(b"abcd_", b"abce_"), b"Bearer llk_abcd_" + b"f" * 20]
)
def test_one_that_is_not_known_never_counts_as_none(gate: Gate, shown: bytes) -> None:
    configure(gate, "observe")
    gate.admit([KEY])
    with pytest.raises(Unauthorized, match="not known, or not any more") as caught:
        gate.enter(head(shown), HERE)
    assert shown.decode()[-20:] not in caught.value.message


def test_what_is_taken_back_counts_no_more_though_it_was_seen_before(gate: Gate) -> None:
    gate.admit([KEY])
    assert may(gate, "infer", SHOWN)
    gate.admit([key(revoked=999.0)])
    assert not may(gate, "infer", SHOWN) and may(gate, "infer")
    gate.admit([key(digest=sha256(b"another secret").hexdigest())])
    assert not may(gate, "infer", SHOWN)
    gate.admit([key(scopes=("observe",))])
    assert may(gate, "observe", SHOWN)


def test_it_expires_though_it_was_seen_before(gate: Gate, clock: Clock) -> None:
    gate.admit([key(expires=1010.0)])
    assert may(gate, "infer", SHOWN)
    clock.now = 1009.9
    assert may(gate, "infer", SHOWN)
    clock.now = 1010.0
    with pytest.raises(Unauthorized, match="the key editor has expired"):
        gate.enter(head(SHOWN), HERE)
    assert may(gate, "", SHOWN), "what is for everybody does not look"


def test_when_it_was_used(gate: Gate, clock: Clock) -> None:
    gate.admit([KEY])
    assert gate.used == {}
    assert may(gate, "infer", SHOWN) and not may(gate, "admin", SHOWN) and not may(gate, "infer", SHOWN[:-1])
    clock.now = 1005.0
    gate.enter(head(SHOWN), HERE)
    assert gate.used == {"abcd": 1005.0}


def test_how_keys_are_misused_is_noted(gate: Gate, clock: Clock) -> None:
    gate.misuses = Misuses(clock)
    gate.admit([KEY, key(id="gone", revoked=5.0), key(id="late", expires=5.0), key(id="slow", rate=1.0, parallel=1)])
    shown = {id: SHOWN.replace(b"_abcd_", b"_%b_" % id) for id in (b"gone", b"late", b"slow", b"none", b"nobody")}
    caller = gate.enter(head(shown[b"slow"]), HERE)[0]
    refused = [head(shown[b"slow"]), head(SHOWN, "admin"), head(SHOWN[:-1]), head(b"sk-none")]
    refused += [head(shown[id]) for id in (b"gone", b"late", b"none", b"nobody", b"nobody")]
    for asked in refused:
        with pytest.raises((Unauthorized, Forbidden, TooMany)):
            gate.enter(asked, AWAY)
    gate.leave(caller)
    with pytest.raises(TooMany):
        gate.enter(head(shown[b"slow"]), HERE)
    assert gate.look(head(shown[b"slow"]), HERE) is not None
    with pytest.raises(Forbidden):
        gate.demand_model(key(models=("b",)).caller(), "a", HERE)
    gate.demand_model(key(models=("b",)).caller(), "b", HERE)
    told = {(event.key, event.what): (event.count, event.address) for event in gate.misuses.take()}
    assert told == {
        ("slow", "parallel"): (1, "10.0.0.7"), ("slow", "rate"): (2, "127.0.0.1"), ("abcd", "scope"): (1, "10.0.0.7"),
        ("abcd", "secret"): (1, "10.0.0.7"), ("gone", "revoked"): (1, "10.0.0.7"), ("late", "expired"): (1, "10.0.0.7"),
        ("", "unknown"): (3, "10.0.0.7"), ("abcd", "model"): (1, "127.0.0.1"),
    }  # fmt: skip


# --- limits --------------------------------------------------------------------------------------


def test_so_many_at_once(gate: Gate) -> None:
    gate.admit([key(parallel=2)])
    first, _ = gate.enter(head(SHOWN), HERE)
    gate.enter(head(SHOWN), AWAY)
    with pytest.raises(TooMany, match="has 2 requests under way") as caught:
        gate.enter(head(SHOWN), HERE)
    assert caught.value.status == 429 and caught.value.retry_after
    gate.leave(gate.enter(head(SHOWN, ""), HERE)[0])  # for everybody: it neither takes a place nor gives one up
    gate.leave(first)
    gate.enter(head(SHOWN), HERE)
    with pytest.raises(TooMany):
        gate.enter(head(SHOWN), HERE)


def test_so_many_a_minute(gate: Gate) -> None:
    gate.admit([key(rate=3.0, parallel=1)])
    for left in (2, 1, 0):
        caller, lines = gate.enter(head(SHOWN), HERE)
        assert b"X-RateLimit-Limit: 3\r\nX-RateLimit-Remaining: %d\r\nX-RateLimit-Reset: " % left in lines
        gate.leave(caller)
    for _ in "ab":  # who is turned away takes no place either
        with pytest.raises(TooMany, match="more than 3 requests a minute") as caught:
            gate.enter(head(SHOWN), HERE)
        assert b"X-RateLimit-Remaining: 0" in caught.value.lines
        assert 0 < (caught.value.retry_after or 0) <= 60


def test_addresses_are_counted_where_there_is_no_key(gate: Gate) -> None:
    gate.admit([KEY])
    configure(gate, "infer", rate=1.0)
    gate.enter(head(), AWAY)
    with pytest.raises(TooMany):
        gate.enter(head(), AWAY)
    gate.enter(head(), HERE)
    assert gate.enter(head(SHOWN), AWAY)[1] == gate.enter(head(b"", ""), AWAY)[1] == b""
    for _ in "abc":
        assert gate.enter(head(), Peer())[1] == b"", "the owner's own socket has no address"


def test_what_is_remembered_of_a_connection_counts_no_longer_than_it_is_so(gate: Gate, clock: Clock) -> None:
    peer, anonymous, keyed = Peer("10.0.0.7", False, False, "10.0.0.7"), head(), head(SHOWN)
    gate.admit([KEY])
    configure(gate, "infer")
    for _ in "ab":  # the very same head, as of a client that asks again and again
        assert gate.enter(anonymous, peer) == (Caller(scope="infer"), b"")
    assert gate.enter(keyed, peer)[0].key == "abcd" and not gate.enter(anonymous, peer)[0].key
    assert peer.last is not None
    configure(gate, "infer", rate=1.0)
    assert b"X-RateLimit-Remaining: 0" in gate.enter(anonymous, peer)[1]
    with pytest.raises(TooMany):
        gate.enter(anonymous, peer)
    configure(gate, "none")
    with pytest.raises(Unauthorized):
        gate.enter(anonymous, peer)
    gate.enter(keyed, peer)
    gate.admit([key(expires=2000.0)])
    gate.enter(keyed, peer)
    clock.now = 2000.0
    with pytest.raises(Unauthorized, match="has expired"):
        gate.enter(keyed, peer)
    gate.admit([key(revoked=1999.0)])
    with pytest.raises(Unauthorized):
        gate.enter(keyed, peer)


def test_it_forgets_who_came_long_ago(gate: Gate) -> None:
    for number in range(3000):
        gate.enter(head(b"dummy-%d" % number), HERE)
    assert len(gate._known) <= 1024


class _Transport:
    def __init__(self, here: object, there: object) -> None:
        self.info = {"sockname": here, "peername": there}

    def get_extra_info(self, name: str) -> object:
        return self.info[name]


@pytest.mark.parametrize(
    ("here", "there", "peer"),
    [
        ("/run/x.sock", "", Peer()),
        (("127.0.0.1", 1), ("127.0.0.1", 2), Peer("127.0.0.1", True, True, "127.0.0.1")),
        (("10.0.0.1", 1), ("10.0.0.7", 2), Peer("10.0.0.7", False, False, "10.0.0.7")),
        (("::1", 1, 0, 0), ("::1", 2, 0, 0), Peer("::1", True, True, "::/64")),
        (("::ffff:10.0.0.1", 1, 0, 0), ("::ffff:127.0.0.1", 2, 0, 0), Peer("127.0.0.1", True, False, "127.0.0.1")),
        (
            ("fe80::1%eth0", 1, 0, 2),
            ("fe80::dead:beef%eth0", 2, 0, 2),
            Peer("fe80::dead:beef", False, False, "fe80::/64"),
        ),
    ],
)
def test_who_is_at_the_other_end(here: object, there: object, peer: Peer) -> None:
    assert peer_of(_Transport(here, there)) == peer  # type: ignore[arg-type]


# --- tokens --------------------------------------------------------------------------------------


class Issuer:
    def __init__(self) -> None:
        self.asked = 0

    def verify(self, text: str) -> Caller:
        self.asked += 1
        if text != "a.b.c":
            raise Unauthorized("the token is not accepted")
        return Caller("jwt:me", "me", "control", until=1010.0)


def test_tokens(gate: Gate, clock: Clock) -> None:
    issuer = Issuer()
    configure(gate, tokens=issuer)
    assert not may(gate, "infer"), "who configures tokens wants them"
    for _ in "once and for all":
        assert may(gate, "control", b"Bearer a.b.c", AWAY)
    assert issuer.asked == 1 and not may(gate, "admin", b"Bearer a.b.c")
    assert not may(gate, "infer", b"Bearer a.b.d")
    clock.now = 1010.0
    assert may(gate, "infer", b"Bearer a.b.c") and issuer.asked == 3
    configure(gate)
    assert not may(gate, "control", b"Bearer a.b.c")
