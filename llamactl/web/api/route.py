"""A route of `/api` as one value: what it is answered by, and all that is to be said of it.

What a handler takes and gives is read from its signature, so that what is checked, what is answered and what is
written in the OpenAPI document are one and the same.
"""

import inspect
import re
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any, TypeVar, get_type_hints

import msgspec
from aiohttp import web

from llamactl.core.access import RANK, Needed
from llamactl.core.errors import BadRequest
from llamactl.rpc.calls import Ask, Call
from llamactl.web.api.shape import success
from llamactl.web.caller import caller_of, demand_scope, permit

A = TypeVar("A")
S = TypeVar("S")

_PLACE = re.compile(r"(.*) - at `(?:key in )?\$(.*)`", re.DOTALL)


class Asked:
    """A request as its handler sees it. Calling it asks the daemon, as far as who asks may."""

    def __init__(self, request: web.Request, ask: Ask) -> None:
        self.request = request
        self.caller = caller_of(request)
        self._ask = ask

    @property
    def name(self) -> str:
        """The model in the path."""
        return self.request.match_info["name"]

    async def __call__(self, call: Call[A]) -> A:
        await permit(self.caller, call, self._ask)
        return await self.whole(call)

    async def whole(self, call: Call[A]) -> A:
        """The answer about all models, of which not all may be for this caller."""
        demand_scope(self.caller, call.scope, call.method)
        answer: A = await self._ask(call)
        return answer


Handler = Callable[..., Awaitable[Any]]
"""Takes an `Asked`, and where it has such parameters, a `query` and a `body`."""


class Route:
    """`calls` are those that the handler asks, `media` is what its answer is: anything but JSON it makes itself."""

    def __init__(
        self, method: str, path: str, handler: Handler, *calls: type[Call[Any]], media: str = "application/json"
    ) -> None:
        self.method = method
        self.path = path
        self.handler = handler
        self.calls = calls
        self.media = media

    @cached_property
    def _types(self) -> dict[str, Any]:
        return get_type_hints(self.handler, include_extras=True)

    @property
    def query(self) -> Any:
        """The type of its query, or None."""
        return self._types.get("query")

    @property
    def body(self) -> Any:
        """The type of its body, or None."""
        return self._types.get("body")

    @property
    def data(self) -> Any:
        """The type of what it answers with."""
        return self._types["return"]

    @property
    def text(self) -> str:
        return inspect.cleandoc(self.handler.__doc__ or "")

    @property
    def scope(self) -> Needed:
        """What a key must allow: what the calls do, and `control` for who does more than look, as at the door."""
        scopes: list[Needed] = ["observe" if self.method == "GET" else "control", *(call.scope for call in self.calls)]
        return max(scopes, key=RANK.__getitem__)

    async def answer(self, request: web.Request, ask: Ask) -> web.StreamResponse:
        asked = Asked(request, ask)
        demand_scope(asked.caller, self.scope, f"{self.method} {self.path}")
        given: dict[str, Any] = {}
        if self.query is not None:
            given["query"] = read_query(request, self.query)
        elif request.query:
            raise BadRequest("it takes no query", f"query.{next(iter(request.query))}")
        if self.body is not None:
            given["body"] = read_body(await request.read(), self.body)
        answer = await self.handler(asked, **given)
        return answer if isinstance(answer, web.StreamResponse) else success(answer)

    def add(self, app: web.Application, ask: Ask) -> None:
        async def handler(request: web.Request) -> web.StreamResponse:
            return await self.answer(request, ask)

        if self.method == "GET":
            app.router.add_get(self.path, handler, allow_head=self.media == "application/json")
        else:
            app.router.add_route(self.method, self.path, handler)


def read_query(request: web.Request, kind: type[S]) -> S:
    """The query as a struct of that type. Raises `BadRequest` with the place of what does not fit."""
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name in given:
            raise BadRequest("the query does not fit: it is there twice", f"query.{name}")
        given[name] = value
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _misfit("query", error) from None


def read_body(text: bytes, kind: type[S]) -> S:
    """The body as a struct of that type; none is one without members. Raises `BadRequest` with the place."""
    try:
        return msgspec.convert(_whole(msgspec.json.decode(text or b"{}")), kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _misfit("body", error) from None


def _whole(value: Any) -> Any:
    """With 5 for 5.0: in JSON they are the same number, and one that a schema takes for an integer."""
    match value:
        case float() if value.is_integer() and abs(value) < 1 << 53:
            return int(value)
        case list():
            return [_whole(each) for each in value]
        case dict():
            return {name: _whole(each) for name, each in value.items()}
    return value


def _misfit(where: str, error: Exception) -> BadRequest:
    """The place goes where hints are: it is what there is to be changed."""
    found = _PLACE.fullmatch(str(error))
    message, place = (found[1], found[2]) if found else (str(error), "")
    return BadRequest(f"the {where} does not fit: {message}", f"{where}{place}")
