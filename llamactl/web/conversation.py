"""`/llamaproxws`: one connection, from its first message to its last."""

import asyncio
import uuid
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from llamactl import __version__
from llamactl.core.errors import BadRequest, LlamactlError, Refused
from llamactl.core.events import KINDS
from llamactl.rpc.calls import CALLS, Ask, ListEvents, ListInstances, ListRequests, ReadLogs, Status
from llamactl.rpc.server import Stream
from llamactl.web import topics
from llamactl.web.caller import caller_of, demand_scope, permit
from llamactl.web.envelope import Ask as Question
from llamactl.web.envelope import Received, RequestId, Subscribe, Topic, Unsubscribe, envelope, read
from llamactl.web.feed import Feed, message, whole
from llamactl.web.guests import Guests
from llamactl.web.watcher import Watcher

PATH = "/llamaproxws"

LONGEST = 1 << 20
"""Bytes of the longest message that is taken."""
HEARTBEAT = 25.0
"""Seconds after which one is asked whether it is still there; for an answer it has half of that."""
TOGETHER = 500
"""Events that are read at once for who comes back."""
PAST = 100
"""Lines of logs that are told at first."""
UNDER_WAY = 32
"""Calls of one connection."""


FEED = web.AppKey("feed", Feed)


def add(app: web.Application, ask: Ask, guests: Guests) -> None:
    app[FEED] = feed = Feed(ask)

    dashboards: list[Any] = []  # one, once somebody has asked for it

    async def answer(request: web.Request) -> web.StreamResponse:
        if "EIO" not in request.query:
            return await converse(request, ask, feed, guests)
        if not dashboards:
            try:
                from llamactl.web.dashboard import Dashboard  # 7 MB and 0.3 s that most do not need
            except ImportError:
                raise Refused("Socket.IO is not installed here", "pip install 'llamactl-daemon[socketio]'") from None
            dashboards.append(Dashboard(ask))
        with guests.staying(lambda _: dashboards[0].close()):
            response: web.StreamResponse = await dashboards[0].handle(request)
            return response

    for path in (PATH, f"{PATH}/"):
        app.router.add_get(path, answer)
        app.router.add_post(path, answer)
        app.router.add_options(path, answer)


async def converse(request: web.Request, ask: Ask, feed: Feed, guests: Guests) -> web.WebSocketResponse:
    """Until it ends. Who may not observe may call what they may, and subscribe to nothing."""
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT, compress=False, max_msg_size=LONGEST, writer_limit=0)
    await socket.prepare(request)
    assert request.transport is not None
    watcher = Watcher(socket, request.transport, caller_of(request))
    try:
        with guests.staying(watcher.end, watcher.caller):
            await feed.join(watcher)
            await _Conversation(socket, ask, feed, watcher).run()
    except ConnectionError:
        pass  # they hung up
    finally:
        feed.leave(watcher)
    return socket


class _Conversation:
    def __init__(self, socket: web.WebSocketResponse, ask: Ask, feed: Feed, watcher: Watcher) -> None:
        self._socket = socket
        self._ask = ask
        self._feed = feed
        self._watcher = watcher
        self._calls: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        told = {"clientId": uuid.uuid4().hex, "version": __version__, "lastEvent": self._feed.last}
        await self._say("connection", told)
        async for received in self._socket:
            if received.type is not WSMsgType.TEXT:
                await self._say("error", BadRequest("messages are text").problem())
                continue
            request: RequestId = None
            try:
                asked: Received = read(received.data, Received)
                request = asked.requestId
                await self._obey(asked)
            except LlamactlError as error:
                await self._say("error", error.problem(), request)

    async def _say(self, type: str, data: object, request: RequestId = None) -> None:
        await self._watcher.tell(envelope(type, data, request=request))

    async def _obey(self, asked: Received) -> None:
        match asked.type:
            case "ping":
                await self._say("pong", asked.data, asked.requestId)
            case "subscribe":
                await self._subscribe(read(asked.data, Subscribe), asked.requestId)
            case "unsubscribe":
                gone: Unsubscribe = read(asked.data, Unsubscribe)
                for topic in tuple(self._watcher.topics) if gone.topics is None else gone.topics:
                    self._watcher.topics.pop(topic, None)
                await self._say("unsubscribed", {"topics": list(self._watcher.topics)}, asked.requestId)
            case "call":
                if len(self._calls) >= UNDER_WAY:
                    raise Refused(f"{UNDER_WAY} calls are under way already", "wait for their results")
                call = asyncio.get_running_loop().create_task(self._call(read(asked.data, Question), asked.requestId))
                self._calls.add(call)
                call.add_done_callback(self._calls.discard)
            case other:
                raise BadRequest(f"no message has the type {other!r}", "subscribe, unsubscribe, ping or call")

    # --- calls -----------------------------------------------------------------------------------

    async def _call(self, question: Question, request: RequestId) -> None:
        """It is finished even if they hang up meanwhile."""
        try:
            await self._say("result", await self._answered(question), request)
        except LlamactlError as error:
            await self._say("error", error.problem(), request)
        except ConnectionError:
            pass

    async def _answered(self, question: Question) -> object:
        kind = CALLS.get(question.method)
        if kind is None:
            raise BadRequest(f"no such method: {question.method}", "llamactl api --list")
        call = read(question.params, kind)
        await permit(self._watcher.caller, call, self._ask)
        answer = await self._ask(call)
        if isinstance(answer, Stream):
            await answer.then.aclose()
            answer.close()
            raise BadRequest(f"{question.method} goes on", 'send {"type": "subscribe"}')
        return answer

    # --- topics ----------------------------------------------------------------------------------

    async def _subscribe(self, wanted: Subscribe, request: RequestId) -> None:
        watcher = self._watcher
        demand_scope(watcher.caller, "observe", "subscribe")
        if wanted.interval is not None:
            watcher.interval, watcher.due = wanted.interval, 0.0
        if wanted.models is not None:
            watcher.models = wanted.models or None
        watcher.level = wanted.level or watcher.level
        if wanted.types is not None:
            if unknown := set(wanted.types) - set(KINDS):
                raise BadRequest(f"there are no events of type {min(unknown)!r}", f"they are {', '.join(KINDS)}")
            watcher.types = frozenset(wanted.types)
        last = self._feed.last
        told = {
            "topics": sorted({*watcher.topics, *wanted.topics}),
            "interval": watcher.interval,
            "models": watcher.models,
            "level": watcher.level,
            "lastEvent": last,
        }
        await self._say("subscribed", told, request)
        for topic in wanted.topics:
            await self._present(topic)
        since = last if wanted.since is None or wanted.since > last else wanted.since
        await self._catch_up(wanted.topics, since)

    async def _present(self, topic: Topic) -> None:
        """The snapshot."""
        watcher, last = self._watcher, self._feed.last
        match topic:
            case "models" | "events":
                rows = await self._ask(ListInstances(all=topic == "models"))
                if topic == "models":
                    await watcher.tell(whole(rows, watcher.models, watcher.caller.models, last))
                else:
                    mine = [row for row in rows if watcher.caller.uses(row.name)]
                    await self._say("snapshot", {"last_event": last, "instances": mine})
            case "status":
                await self._say("status", msgspec.to_builtins(await self._ask(Status())))
            case "metrics":
                if self._feed.sample is not None and watcher.cares(None):
                    watcher.due = self._feed.clock() + watcher.interval
                    await watcher.tell(self._feed.sample.payload)
            case "logs":
                rows = await self._ask(ListInstances())
                names = tuple(row.name for row in rows if row.pid is not None and watcher.cares(row.name))
                if names:
                    read_ = await self._ask(ReadLogs(models=names, level=watcher.level, limit=PAST))
                    await self._say("logs", {"lines": topics.past(read_), "past": True})
            case "requests":
                listed = await self._ask(ListRequests())
                mine = [each for each in listed if watcher.cares(each.model)]
                await self._say("requests", {"requests": mine, "more": 0})

    async def _catch_up(self, wanted: tuple[Topic, ...], since: int) -> None:
        """Tell what happened after that, and go on with what happens, without a gap and nothing twice."""
        watcher = self._watcher
        while missed := await self._ask(ListEvents(since, limit=TOGETHER)):
            if missed[0].id > since + 1:
                await self._say("dropped", {"count": missed[0].id - since - 1})
            for numbered in missed:
                cares = not watcher.filtered or watcher.cares(topics.model_of(numbered.event))
                for topic in (topics.topic_of(numbered.event), "events"):
                    if topic in wanted and cares and (topic != "events" or watcher.of_type(numbered)):
                        await watcher.tell(message(topic, numbered))
            since = missed[-1].id
            if since >= self._feed.last:
                break
        # No await since the feed was looked at: what it tells from here on is new.
        for topic in wanted:
            watcher.topics[topic] = max(since, watcher.topics.get(topic, 0))
