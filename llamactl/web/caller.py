"""Who asks, as the door says, and what they may ask of the daemon."""

from base64 import b64decode
from typing import Any

import msgspec
from aiohttp import web

from llamactl.core.access import Caller, Needed
from llamactl.core.errors import Forbidden
from llamactl.rpc.calls import Call

HEADER = "X-Llamactl-Caller"
"""Put there by the door, which takes it out of what clients send: the JSON of a `Caller`, in base64."""

ANYBODY = Caller(scope="observe")
"""Who has not come through the door: the socket is the owner's."""

_decode = msgspec.json.Decoder(Caller).decode


def caller_of(request: web.Request) -> Caller:
    told = request.headers.get(HEADER)
    return ANYBODY if told is None else _decode(b64decode(told))


def demand(caller: Caller, call: Call[Any]) -> None:
    """Raises `Forbidden` for who may not ask that."""
    demand_scope(caller, call.scope, call.method)
    name = getattr(call, "name", None)
    if caller.models is not None and (name is None or not caller.uses(str(name))):
        about = "other models, too" if name is None else f"the model {name}"
        raise Forbidden(f"{call.method} is about {about}, and the key is for {', '.join(caller.models) or 'none'}")


def demand_scope(caller: Caller, scope: Needed, what: str) -> None:
    """Raises `Forbidden` for who has not got that."""
    if not caller.may(scope):
        raise Forbidden(f"{what} takes a key with the scope {scope}", f"llamactl keys create NAME --scope {scope}")
