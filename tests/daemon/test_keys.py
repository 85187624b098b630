"""Keys: made, changed and taken back, and what the gate makes of that."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from llamactl.config.sections import Access
from llamactl.core.access import Caller, read_key
from llamactl.core.errors import BadRequest, LlamactlError, NotFound, Refused, StoreFailed, Unauthorized
from llamactl.core.events import KeyMisused
from llamactl.core.model import Model
from llamactl.daemon import keyring
from llamactl.daemon.control.keys import KeyCalls
from llamactl.daemon.keyring import Keyring, tokens
from llamactl.proxy.access import Gate, Peer
from llamactl.proxy.door import Door
from llamactl.proxy.head import Head
from llamactl.proxy.routing import Route
from llamactl.rpc import calls
from llamactl.store import Database
from llamactl.supervisor import Supervisor
from llamactl.web.guests import Guests

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # the thread that writes wants it


class Desk:
    """Who makes keys, and the gate that goes by them."""

    def __init__(self, place: Path) -> None:
        self.time = 1000.0
        self.place = place
        self.db = Database(place / "db")
        self.events: list[KeyMisused] = []
        self.door = Door(cast(Supervisor, None), lambda _: Model(name="a", path="/a", size=1), "")
        self.gate = self.door.gate = Gate(lambda: self.time)
        self.guests = Guests()
        self.ended: list[tuple[str, str]] = []
        self.keyring = Keyring(self.db.keys, self.door, self.guests, self.events.append)
        self.handlers = KeyCalls(self.db.keys, self.keyring, lambda: self.time).handlers

    async def ask(self, call: calls.Call) -> object:  # type: ignore[type-arg]
        return await self.handlers[type(call)](call)

    async def create(self, **more: object) -> calls.NewKey:
        new = await self.ask(calls.CreateKey(**{"name": "editor", **more}))  # type: ignore[arg-type]
        assert isinstance(new, calls.NewKey)
        return new

    async def rows(self, *, all: bool = False) -> list[calls.KeyRow]:
        rows = await self.ask(calls.ListKeys(all))
        assert isinstance(rows, list)
        return rows

    def enter(self, text: str) -> Caller:
        head = Head()
        head.route = Route("model", scope="infer")
        head.credential = f"Bearer {text}".encode()
        return self.gate.enter(head, Peer())[0]

    def counts(self, text: str) -> bool:
        try:
            self.enter(text)
        except Unauthorized:
            return False
        return True


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.db.close()


async def test_one_is_made_and_counts(desk: Desk) -> None:
    new = await desk.create(scopes=("control",), models=("q*",), expires=2000.0, rate=5.0, parallel=2, priority=1)
    text = read_key(new.text)
    assert text is not None and text.id == new.key.id and desk.counts(new.text)
    assert text.secret.encode() not in (desk.place / "db").read_bytes() + (desk.place / "db-wal").read_bytes()
    other = await desk.create()
    assert other.text != new.text
    assert [row.id for row in await desk.rows()] == sorted((new.key.id, other.key.id))


async def test_it_is_taken_back_at_once(desk: Desk) -> None:
    new, other = await desk.create(), await desk.create(name="other")
    assert desk.counts(new.text) and desk.counts(other.text)
    assert await desk.ask(calls.RevokeKey(new.key.id))
    assert not desk.counts(new.text) and desk.counts(other.text)
    assert [row.name for row in await desk.rows()] == ["other"]
    assert {row.name: row.revoked for row in await desk.rows(all=True)} == {"editor": 1000.0, "other": None}
    with pytest.raises(NotFound):
        await desk.ask(calls.RevokeKey(new.key.id))


async def test_another_secret(desk: Desk) -> None:
    old = await desk.create(scopes=("observe",))
    new = await desk.ask(calls.RotateKey("editor"))
    assert isinstance(new, calls.NewKey) and new.key == old.key
    assert desk.counts(new.text) and not desk.counts(old.text)


async def test_names_stand_for_keys_where_there_is_one(desk: Desk) -> None:
    first, _ = await desk.create(), await desk.create()
    with pytest.raises(Refused, match="2 keys are called editor"):
        await desk.ask(calls.RotateKey("editor"))
    await desk.ask(calls.RevokeKey(first.key.id))
    await desk.ask(calls.RevokeKey("editor"))
    assert await desk.rows() == []


async def test_one_that_nobody_could_use_is_not_made(desk: Desk) -> None:
    with pytest.raises(BadRequest, match="expired already"):
        await desk.create(expires=999.0)
    assert await desk.rows() == []


async def test_when_they_were_used_is_written_down_now_and_then(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "EVERY", 0.001)
    new = await desk.create()
    assert (await desk.rows())[0].last_used is None and desk.counts(new.text)
    assert (await desk.rows())[0].last_used == 1000.0, "it need not be written down for that"
    async with anyio.create_task_group() as group:
        await group.start(desk.keyring.run)
        with anyio.fail_after(5):
            while desk.db.keys.all()[0].last_used is None:  # noqa: ASYNC110  # a thread writes it
                await anyio.sleep(0.001)
        desk.time = 1005.0
        monkeypatch.setattr(keyring, "EVERY", 100)
        assert desk.counts(new.text)
        group.cancel_scope.cancel()
    desk.db.close()  # which waits for the thread
    with Database(desk.place / "db") as db:
        assert db.keys.all()[0].last_used == 1005.0 and desk.gate.used == {}


async def test_a_disk_that_is_full_does_not_close_the_door(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    class Full:
        async def used(self, times: object) -> None:
            raise StoreFailed("disk full")

    desk.gate.used["a"] = 1.0
    with anyio.move_on_after(0.01):
        await Keyring(Full(), desk.door, Guests(), print).run()  # type: ignore[arg-type]
    assert "disk full" in caplog.text


class Connection:
    """Has a model at work for it, or is at a WebSocket of ours; it goes when it is told to."""

    def __init__(self, desk: Desk, name: str, caller: Caller, *, watches: bool = False) -> None:
        self.caller: Caller | None = caller
        self.busy = not watches
        self.forward = SimpleNamespace(tunnel=True, leased=False, stays=False) if watches else None
        self._desk, self._name = desk, name
        desk.door.connections.add(cast(Any, self))

    def give_up(self, error: LlamactlError) -> None:
        self._desk.ended.append((self._name, error.message))
        self._desk.door.connections.remove(cast(Any, self))


async def test_what_is_under_way_ends_when_a_key_or_a_token_does(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tokens of one subject end each at its own time. Who watches is told before."""
    monkeypatch.setattr(keyring, "LOOK", 0.001)
    first, second = await desk.create(expires=1010.0), await desk.create(name="other")
    token, longer = (Caller("jwt:me", "me", "infer", until=until) for until in (1010.0, 2000.0))
    Connection(desk, "key", desk.enter(first.text))
    Connection(desk, "token", token)
    Connection(desk, "watcher", token, watches=True)
    Connection(desk, "longer", longer)
    Connection(desk, "other", desk.enter(second.text))

    async def farewell(error: LlamactlError) -> None:
        desk.ended.append(("told", error.message))

    async def ended(count: int) -> list[tuple[str, str]]:
        with anyio.fail_after(5):
            while len(desk.ended) < count:  # noqa: ASYNC110
                await anyio.sleep(0.001)
        return desk.ended

    with desk.guests.staying(farewell, token), desk.guests.staying(farewell, longer), desk.guests.staying(farewell):
        async with anyio.create_task_group() as group:
            await group.start(desk.keyring.run)
            desk.time = 1009.9
            assert desk.gate.expired(token) is None and desk.ended == []
            desk.time = 1010.0
            await ended(4)
            await desk.ask(calls.RotateKey("other"))
            all_ = await ended(5)
            group.cancel_scope.cancel()
    gone = "the token of me has expired"
    assert sorted(all_[:2]) == [("key", "the key editor has expired"), ("token", gone)]
    assert all_[2:] == [("told", gone), ("watcher", gone), ("other", "the key other has another secret now")]


async def test_how_they_were_misused_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "LOOK", 0.001)
    new = await desk.create()
    assert not desk.counts(new.text[:-1])
    async with anyio.create_task_group() as group:
        await group.start(desk.keyring.run)
        with anyio.fail_after(5):
            while not desk.events:  # noqa: ASYNC110
                await anyio.sleep(0.001)
        group.cancel_scope.cancel()
    assert desk.events == [KeyMisused(new.key.id, "secret")]


def test_tokens_as_they_are_configured(tmp_path: Path) -> None:
    assert tokens(Access()) is None
    file = str(tmp_path / "secret")
    Path(file).write_text("x" * 32)
    assert tokens(Access(jwt_secret=file)) is not None  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="both"):
        tokens(Access(jwt_secret=file, jwt_public_key=file))  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="cannot read"):
        tokens(Access(jwt_secret="/no/such"))  # type: ignore[arg-type]
