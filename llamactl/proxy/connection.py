"""One client connection: heads in, bytes spliced, back-pressure."""

import asyncio
from typing import TYPE_CHECKING, cast

from llamactl.core.access import Caller
from llamactl.core.errors import BadRequest, LlamactlError, TimedOut, UpstreamDied
from llamactl.proxy import dialects
from llamactl.proxy.access import Peer, TooMany, introduce, peer_of
from llamactl.proxy.forward import Forward
from llamactl.proxy.gather import as_stream
from llamactl.proxy.gathering import Gathering
from llamactl.proxy.record import HEADER, ID
from llamactl.proxy.request import Reader, Request
from llamactl.proxy.seeking import mourn, seek
from llamactl.proxy.upload import Upload
from llamactl.proxy.upstream import Pool
from llamactl.proxy.waiting import Announced, Waiting
from llamactl.supervisor import Lease

if TYPE_CHECKING:
    from llamactl.proxy.door import Door

IDLE, HEAD, BODY, STALLED = 75, 10, 30, 60
"""Seconds: between requests; for a whole head; between two pieces of a body; for a client that takes nothing."""
LINGER = 2
"""Seconds for a client to read a refusal while it is still sending the body nobody wants."""
NEVER = 1 << 62


class Connection(asyncio.Protocol):
    """What one client sends, one request after the other.

    `forward` is the request being answered, `caller` who asks it, `added` the headers that its answer is given besides
    its own, `closing` that this answer is the last, `paused` that the client takes no more bytes for now, `gone` that
    there is no client any more. `seeking` is on its way to a lease, `waiting` tells the client of that, `again` is a
    request that has been asked a second time.
    """

    __slots__ = (
        "_asked", "_deadline", "_fresh", "_held", "_lingering", "_peer", "_reader", "_serving", "added", "again",
        "caller", "closing", "door", "forward", "gone", "paused", "seeking", "transport", "waiting",
    )  # fmt: skip

    def __init__(self, door: "Door") -> None:
        self.door = door
        self._reader = Reader(door.max_body, door.spool)
        self.transport = cast(asyncio.Transport, None)
        self.forward: Forward | None = None
        self._asked: Request | None = None  # what is being answered
        self.again: Request | None = None
        self.caller: Caller | None = None  # who asks what is being answered
        self._peer = Peer()
        self.added = b""
        self.seeking: asyncio.Task[None] | None = None
        self.waiting: Waiting | None = None
        self.closing = self.paused = False
        self._fresh = True  # nothing was asked yet
        self._held = False  # reading is paused: requests enough are waiting here already
        self._serving = self._lingering = self.gone = False
        self._deadline = door.tick + HEAD

    # --- asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._peer = peer_of(transport)
        if not self.door.entered(self, self._peer.beyond):
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        forward = self.forward
        if forward is not None and forward.tunnel:
            forward.send(data)
        elif not self._lingering:
            reader = self._reader
            request = reader.whole(data)
            if request is None:
                reader.feed(data)
            elif forward is not None or reader.requests or self.seeking or self.closing or self.paused:
                reader.requests.append(request)
            else:
                self._begin(request)
                if self.forward is not None:
                    return  # nothing else was read
            self._look()

    def _look(self) -> None:
        """Something was read: what is to be done?"""
        reader = self._reader
        if (begun := reader.begun) is not None:
            reader.begun = None
            if fault := self.door.gate.look(begun, self._peer):
                reader.fail(fault)
        if reader.requests:
            self._serve()
        if (len(reader.requests) > 1 or reader.rest) and not self._held:
            self._held = True
            self.transport.pause_reading()
        if reader.place is not None:
            self._held = False
            Upload(self, reader)
        if self._idle():
            self._expect_more()

    def _expect_more(self) -> None:
        """Of a request that has begun, and is the next to be answered."""
        reader = self._reader
        if reader.requests:
            return  # they come first, as soon as the client takes what it has asked for
        if reader.in_body:
            self._deadline = self.door.tick + BODY
            if reader.awaits_continue:
                reader.awaits_continue = False
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif reader.in_head:
            self._deadline = min(self._deadline, self.door.tick + HEAD)

    def eof_received(self) -> bool:
        return False  # who closes its sending side is gone, as for nginx

    def connection_lost(self, error: Exception | None) -> None:
        self.gone = True
        self.door.left(self, self._peer.beyond)
        seeking, self.seeking = self.seeking, None
        if seeking is not None:
            seeking.cancel()
        forward, self.forward = self.forward, None
        if forward is not None:
            forward.client_lost()
        if self._asked is not None and self._asked.record is not None:
            self._asked.record.error = "client_left"
        self._done()

    def pause_writing(self) -> None:
        self.paused = True
        self._deadline = self.door.tick + STALLED
        if self.forward is not None:
            self.forward.pause()

    def resume_writing(self) -> None:
        self.paused = False
        self._deadline = self.door.tick + IDLE if self._idle() else NEVER
        if self.forward is not None:
            self.forward.resume()
        self._serve()

    def allow(self, max_body: int) -> None:
        self._reader.allow(max_body)

    # --- requests --------------------------------------------------------------------------------

    def _idle(self) -> bool:
        return self.forward is None and self.seeking is None

    def _serve(self) -> None:
        """Begin what has been read and may begin. A loop, not recursion: a client may pipeline thousands."""
        if self._serving:
            return
        self._serving = True
        requests = self._reader.requests
        while requests and self.forward is None and self.seeking is None and not self.closing and not self.paused:
            self._begin(requests.popleft())
        self._serving = False

    def _begin(self, request: Request) -> None:
        self._deadline = NEVER
        self._fresh = False
        door, head, journal = self.door, request.head, self.door.journal
        self.added = header = HEADER % head.request_id if head.request_id else journal.header()
        if head.origin:
            self.added += door.gate.origins.lines(head.origin)
        self._asked = request
        try:
            if request.fault is not None:
                raise request.fault
            if head.origin and head.method == b"OPTIONS":
                self._preflight(request)
                return
            caller, told = door.gate.enter(head, self._peer)
            self.caller = caller
            self.added += told
            if head.route.kind == "web":
                request.added = introduce(caller)
                self.send(request, door.web, None)
                return
            model = door.model_for(request)
            if caller.models is not None:
                door.gate.demand_model(caller, model.name, self._peer)
        except LlamactlError as error:
            if head.route.kind == "model":
                key = "" if self.caller is None else self.caller.key
                request.record = journal.begin(header[ID], head.route.endpoint, "", self._peer.address, key)
            self.refuse(request, error)
            return
        record = journal.begin(header[ID], head.route.endpoint, model.name, self._peer.address, caller.key)
        request.record = record
        if journal.capture.count:
            record.captured = journal.capture.begin(record.id, request.body)
        lease = door.supervisor.try_lease(model.name)
        if lease is None and not head.route.autoload and door.supervisor.serving(model.name) is None:
            self.refuse(request, BadRequest("model is not loaded", f"llamactl start {model.name}"))
        elif lease is None:
            self.seeking = asyncio.get_running_loop().create_task(seek(self, request, model))
        else:
            record.leased = record.arrived
            self.send(request, door.pool(lease.endpoint), lease)

    def _preflight(self, request: Request) -> None:
        """A browser, which shows no key then, asks whether a page may ask."""
        told = self.door.gate.origins.preflight(request.head.origin, request.head.lines)
        self.closing = self.closing or not request.head.keep_alive
        close = b"Connection: close\r\n" if self.closing else b""
        self.transport.write(b"HTTP/1.1 204 No Content\r\n%b%b%b\r\n" % (self.added, told, close))
        self.finished()

    def bereft(self, request: Request, lease: Lease, error: UpstreamDied, *, again: bool) -> None:
        """Its llama-server has gone away, and nothing has gone to the client. `again`: nothing had come for him."""
        self.forward = None
        again = again and self.again is not request
        self.seeking = asyncio.get_running_loop().create_task(mourn(self, request, lease, error, again=again))

    def send(self, request: Request, pool: Pool, lease: Lease | None) -> None:
        as_it_is = lease is None or pool.plain or request.head.route.named == "path"
        streamed = None if as_it_is else as_stream(request.path, request.body, request.asked)
        begun = None if self.waiting is None or not self.waiting.begun else self.waiting.way
        if lease is None or (streamed is None and begun is None):
            forward = Forward(self, request, pool, lease)
        elif begun is None or begun == "space":
            forward = Gathering(self, request, pool, lease, streamed)
        else:
            forward = Announced(self, request, pool, lease)
        if lease is not None:
            lease.on_revoked = forward.revoked
        self.forward = forward
        pool.take(forward)

    def denied(self) -> None:
        """The web face has found that the key is not for that."""
        if self.caller is not None and self.caller.key:
            self.door.gate.misuses.note(self.caller.key, "scope", self._peer.address)

    def tunnelled(self) -> None:
        """From here on both sides send what they like."""
        if self._held:
            self._held = False
            self.transport.resume_reading()
        if self._reader.rest and self.forward is not None:
            self.forward.send(self._reader.rest)
            self._reader.rest = b""

    def refuse(self, request: Request, error: LlamactlError) -> None:
        """Answer with an error."""
        waiting = self.waiting
        if waiting is not None and waiting.begun:
            waiting.fail(error)
            self.finished(broken=waiting.way != "space")
            return
        unread, head = request.fault is not None, request.head
        self.closing = self.closing or unread or not head.keep_alive
        if isinstance(error, TooMany):
            self.added += error.lines
        if request.record is not None:
            request.record.status, request.record.error = error.status, error.code
        told = dialects.refusal(
            error,
            close=self.closing,
            bodiless=head.method == b"HEAD",
            dialect=head.route.dialect,
            added=self.added,
        )
        self.transport.write(told)
        if unread:
            # Closing now, with the client still sending, would reset the connection before it reads this.
            self.forward = None
            self._done()
            self._lingering = True
            self._deadline = self.door.tick + LINGER
            if self.transport.can_write_eof():  # TLS has no such half
                self.transport.write_eof()
            return
        self.finished()

    def finished(self, *, broken: bool = False) -> None:
        """The answer is out. `broken`: it is not whole, and the client must notice."""
        self.forward = None
        if self.gone:
            return
        self._done()
        self._deadline = self.door.tick + (STALLED if self.paused else IDLE)
        reader = self._reader
        if self.closing or broken or (reader.ended and not reader.requests):
            self.transport.close()
            return
        if reader.requests:
            self._serve()
            return
        if self._held:
            self._held = False
            self.transport.resume_reading()
        if reader.in_head or reader.in_body:
            self._expect_more()

    def _done(self) -> None:
        """With the request that was being answered, if there is one."""
        asked, caller, waiting = self._asked, self.caller, self.waiting
        self._asked = self.caller = self.waiting = None
        if waiting is not None:
            waiting.end()
        if asked is not None and asked.record is not None:
            self.door.journal.end(asked.record)
        if caller is not None:
            self.door.gate.leave(caller)

    def end(self) -> None:
        """No more requests: now if none is under way, else after its answer."""
        self.closing = True
        if self._idle():
            self.transport.abort()

    def give_up(self, error: LlamactlError) -> None:
        """Its request, if there is one, is not answered any more but with this error."""
        self.closing = True
        seeking, self.seeking = self.seeking, None
        if seeking is not None and self._asked is not None:
            seeking.cancel()
            self.refuse(self._asked, error)
        elif self.forward is not None:
            self.forward.fail(error)

    def expire(self) -> None:
        """Its time is up."""
        begun = self._reader.in_head or self._reader.in_body
        if begun and self._idle() and not self._lingering and not self.transport.is_closing():
            self._deadline = self.door.tick + LINGER
            added = self.door.journal.header()
            late = TimedOut("the request took too long")
            self.transport.write(dialects.refusal(late, close=True, status=408, added=added))
            self.transport.close()
        else:
            self.transport.abort()

    @property
    def asked(self) -> bytes:
        """The id of the request that is being answered, if that is for a model; else empty."""
        return b"" if self._asked is None or self._asked.record is None else self._asked.record.id

    @property
    def due(self) -> int:
        return self._deadline

    @property
    def busy(self) -> bool:
        """A model is at work for it, or waited for."""
        return self.seeking is not None or (self.forward is not None and self.forward.leased)

    @property
    def awaited(self) -> bool:
        """Its first request is still to come, or the rest of another."""
        return self._idle() and (self._fresh or self._reader.in_head or self._reader.in_body)

    @property
    def expected(self) -> bool:
        """An answer is under way, or a request."""
        return not self._idle() or self.awaited
