"""The far end: the control socket, one JSON-RPC connection per caller."""

import logging
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
from anyio.abc import SocketAttribute, SocketListener, SocketStream, TaskGroup, TaskStatus
from anyio.streams.buffered import BufferedByteReceiveStream

from llamactl.core.errors import LlamactlError
from llamactl.rpc import messages
from llamactl.rpc.calls import Call
from llamactl.rpc.messages import INTERNAL_ERROR, INVALID_REQUEST, Fault, Question

log = logging.getLogger(__name__)

FINISHING = 0.5
"""Seconds for calls under way that must not be asked twice. They take milliseconds."""


class Stream(msgspec.Struct):
    """An answer that goes on: `first` answers the call, each of `then` follows as a notification.

    `close` is called when the caller has left.
    """

    first: object
    then: AsyncGenerator[object, None]
    close: Callable[[], None]


Handler = Callable[[Call[Any]], Awaitable[object]]


def listen(path: Path) -> socket.socket:
    """A listening socket at `path` (0600); what is there is removed.

    The directory must be private already: the socket is made there before its mode is set.
    """
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


class Channel:
    """The control socket. Only `owner` (a uid) and root are answered."""

    def __init__(self, handler: Handler, owner: int) -> None:
        self._handler = handler
        self._owner = owner
        self._accepting: anyio.CancelScope | None = None
        self._conversations: set[_Conversation] = set()

    async def serve(
        self, listener: socket.socket, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Until cancelled. The socket stays open, for another time."""
        async with (
            await SocketListener.from_socket(listener.dup()) as accepting,
            anyio.create_task_group() as group,
        ):
            with anyio.CancelScope() as self._accepting:
                task_status.started()
                await accepting.serve(self._converse, group)
            await anyio.sleep_forever()  # it has been left

    async def leave(self) -> None:
        """Nobody is answered from now on. What may be asked again is asked the next daemon; the rest is finished."""
        if self._accepting is not None:
            self._accepting.cancel()
        await anyio.lowlevel.checkpoint()  # those who have been let in appear
        with anyio.move_on_after(FINISHING):
            async with anyio.create_task_group() as group:
                for conversation in self._conversations:
                    group.start_soon(conversation.leave)

    async def _converse(self, stream: SocketStream) -> None:
        uid = _peer_uid(stream.extra(SocketAttribute.raw_socket))
        async with stream:
            if uid not in (None, 0, self._owner):
                log.warning("control socket: refused uid %s", uid)
                return
            conversation = _Conversation(stream, self._handler)
            self._conversations.add(conversation)
            try:
                with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                    await conversation.run()
            finally:
                self._conversations.discard(conversation)


class _Conversation:
    """One connection. Calls are answered as they are done, in any order; they are finished even when the
    caller hangs up, so that `start` can be left alone. Streams end with the connection."""

    def __init__(self, stream: SocketStream, handler: Handler) -> None:
        self._stream = stream
        self._handler = handler
        self._sending = anyio.Lock()
        self._streams: set[anyio.CancelScope] = set()
        self._left = False
        self._listening = anyio.CancelScope()
        self._finished = anyio.Event()  # nothing is under way but what may be asked again

    async def run(self) -> None:
        async with anyio.create_task_group() as group:
            async with anyio.create_task_group() as once:
                with self._listening:
                    await self._listen(once, group)
                self._left = True
                for scope in self._streams:
                    scope.cancel()
            if self._listening.cancelled_caught:
                await self._send(messages.AGAIN)
            self._finished.set()

    async def leave(self) -> None:
        """No more calls are taken; those that may be asked again are left to the next daemon."""
        self._listening.cancel()
        await self._finished.wait()

    async def _listen(self, once: TaskGroup, again: TaskGroup) -> None:
        """Until they hang up. What may be asked again is begun in `again`, the rest in `once`."""
        lines = BufferedByteReceiveStream(self._stream)
        try:
            while True:
                line = await lines.receive_until(b"\n", messages.LONGEST)
                if line.strip():
                    questions, together = messages.parse(line)
                    group = again if all(question.repeatable for question in questions) else once
                    group.start_soon(self._reply, questions, together)
        except anyio.DelimiterNotFound:
            too_long = Fault(INVALID_REQUEST, f"a line is longer than {messages.LONGEST} bytes")
            await self._send(messages.answer(None, too_long))
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
            pass  # they hung up

    async def _send(self, line: bytes) -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            async with self._sending:
                await self._stream.send(line)

    async def _reply(self, questions: list[Question], together: bool) -> None:
        if together:
            answers = [(question, await self._batched(question)) for question in questions]
            wanted = [messages.answer(question.id, outcome) for question, outcome in answers if question.reply]
            if wanted:
                await self._send(messages.batch(wanted))
            return
        [question] = questions
        outcome = await outcome_of(question, self._handler)
        if isinstance(outcome, Stream):
            await self._go_on(question, outcome)
        elif question.reply:
            with anyio.move_on_after(FINISHING, shield=True):  # it may be about the end of the daemon
                await self._send(messages.answer(question.id, outcome))

    async def _batched(self, question: Question) -> object:
        outcome = await outcome_of(question, self._handler)
        if isinstance(outcome, Stream):
            outcome.close()
            return Fault(INVALID_REQUEST, "what goes on cannot be part of a batch")
        return outcome

    async def _go_on(self, question: Question, outcome: Stream) -> None:
        scope = anyio.CancelScope()
        try:
            if question.reply:
                await self._send(messages.answer(question.id, outcome.first))
            if self._left:
                return
            self._streams.add(scope)
            with scope:
                async for item in outcome.then:
                    await self._send(messages.notice(item))
        finally:
            self._streams.discard(scope)
            await outcome.then.aclose()
            outcome.close()


async def outcome_of(question: Question, handler: Handler) -> object:
    """A `Fault`, a `Stream`, or a result that is JSON already. Nothing is raised."""
    if isinstance(question.call, Fault):
        return question.call
    try:
        outcome = await handler(question.call)
        return outcome if isinstance(outcome, Stream) else msgspec.Raw(msgspec.json.encode(outcome))
    except LlamactlError as error:
        return messages.fault(error)
    except Exception as error:  # one of the three edges: a bug is logged here and answered as one
        log.exception("%s failed", question.call.method)
        return Fault(INTERNAL_ERROR, f"internal error in {question.call.method}: {error!r}")


def _peer_uid(connection: socket.socket) -> int | None:
    """The uid at the other end; None where the system does not tell (the socket's mode then decides)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)
