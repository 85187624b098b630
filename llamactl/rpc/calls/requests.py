"""What was asked of models."""

from typing import Annotated

import msgspec
from msgspec import Meta

from llamactl.core.requests import ModelRequest
from llamactl.rpc.calls.call import Call


class ListRequests(Call[list[ModelRequest]], frozen=True):
    """Those under way, then those that have ended as far as they are remembered, each the newest first.

    `model` is a model or its alias, `key` the id of an API key, `status` what the client was told; `since` are
    seconds since the epoch. Of those that have ended, `limit` at most.
    """

    method = "requests.list"
    scope = "observe"
    model: str = ""
    key: str = ""
    status: int | None = None
    since: float | None = None
    limit: Annotated[int, Meta(ge=0, le=1000)] = 50


class ShowRequest(Call[ModelRequest], frozen=True):
    """One request, under way or not; the latest, if clients have given its id to several."""

    method = "requests.show"
    scope = "observe"
    id: str


class Bodies(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked and what was answered, without secrets; the sizes are those of all of it, in bytes."""

    asked: str
    answered: str
    asked_size: int
    answered_size: int


class ShowBodies(Call[Bodies], frozen=True):
    """Of one request, if they were captured, and not too many others since."""

    method = "requests.bodies"
    id: str


class CancelRequest(Call[None], frozen=True):
    """End a request that is under way; its client is told so, as far as it still can be."""

    method = "requests.cancel"
    id: str
