"""Whom is this request for? By its method, its path and its query alone. (pure)"""

import re
from typing import Literal

import msgspec

from llamactl.core.access import Needed

Dialect = Literal["openai", "responses", "anthropic", "llama", "web"]
"""Whose clients ask there, and so the shape of errors; see `dialects`."""


class Route(msgspec.Struct, frozen=True):
    """`kind`: a llama-server answers, or the web face does. `endpoint` is one of a few dozen names, for records.

    `scope` is what a key must allow. `named` says where the model's name stands. `path` is the one that llama-server
    knows, where the client wrote another; `rest` is what follows `/upstream/`. Without `autoload` only a model that is
    loaded is asked.
    """

    kind: Literal["model", "web"]
    endpoint: str = "other"
    dialect: Dialect = "openai"
    scope: Needed = "observe"
    named: Literal["", "body", "query", "path"] = ""
    path: bytes = b""
    rest: bytes = b""
    autoload: bool = True


ELSEWHERE = Route("web")
"""Nothing that is known here."""

_DIALECTS: dict[str, Dialect] = {
    "chat/completions": "openai",
    "chat/completions/input_tokens": "openai",
    "chat/completions/control": "openai",
    "completions": "openai",
    "responses": "responses",
    "responses/input_tokens": "responses",
    "messages": "anthropic",
    "messages/count_tokens": "anthropic",
    "embeddings": "openai",
    "rerank": "openai",
    "reranking": "openai",
    "audio/transcriptions": "openai",
    "completion": "llama",
    "embedding": "llama",
    "infill": "llama",
    "tokenize": "llama",
    "detokenize": "llama",
    "apply-template": "llama",
}
"""What is asked with POST and says in its body which model it is for."""
_ONLY_V1 = frozenset(("messages", "messages/count_tokens", "chat/completions/control"))
_NEVER_V1 = frozenset(("completion", "embedding", "infill", "tokenize", "detokenize", "apply-template"))
"""llama-server has these in one place, here they are found in both."""

_BY_QUERY = {"lora-adapters": ("GET", "POST"), "slots": ("GET",), "props": ("GET", "POST"), "metrics": ("GET",)}
"""What takes no JSON object, or none at all; llama-server does not have it below `/v1`."""
_OURS = frozenset(("GET props", "GET metrics"))
"""Of these, what is answered here if no model is named."""
_SLOT = re.compile(rb"(/v1)?(/slots/[0-9]{1,9})")

_LISTS = frozenset(("models", "models/sse", "props"))
_INTERNAL = frozenset(("api", "rpc", "llamaproxws", "metrics"))
_NAMES_ONE = re.compile(rb"(?:^|&)model=[^&]")
_AUTOLOAD = re.compile(rb"(?:^|&)autoload=([^&]*)")


def route(method: bytes, path: bytes, query: bytes = b"") -> Route:
    """`path` is in origin form, without the query."""
    if method == b"OPTIONS" or not path.startswith(b"/"):
        return Route("web", scope="")
    if path.startswith(b"/upstream/"):
        return Route("model", "upstream", _dialect_of(path), "infer", "path", rest=path[10:])
    verb = "GET" if method == b"HEAD" else method.decode("latin-1")
    v1 = path.startswith(b"/v1/")
    name = path[4 if v1 else 1 :].decode("latin-1")
    said = _AUTOLOAD.search(query)
    autoload = said is None or said[1] in (b"true", b"1")
    if verb == "POST" and name in _DIALECTS:
        canonical = b"/v1/" if name in _ONLY_V1 else b"/" if name in _NEVER_V1 else path[: 4 if v1 else 1]
        return _model(name, _DIALECTS[name], "body", path, canonical + name.encode(), autoload)
    if verb in _BY_QUERY.get(name, ()) and (_NAMES_ONE.search(query) or f"{verb} {name}" not in _OURS):
        return _model(name, "llama", "query", path, b"/" + name.encode(), autoload)
    if verb == "POST" and (slot := _SLOT.fullmatch(path)):
        return _model("slots", "llama", "body", path, slot[2], autoload)
    return _web(verb, name, v1)


def _model(
    endpoint: str, dialect: Dialect, named: Literal["body", "query"], asked: bytes, path: bytes, autoload: bool
) -> Route:
    return Route("model", endpoint, dialect, "infer", named, b"" if path == asked else path, autoload=autoload)


def _dialect_of(path: bytes) -> Dialect:
    """Of a path that ends with one of an endpoint."""
    _, v1, last = path.rpartition(b"/v1/")
    return _DIALECTS.get(last.decode("latin-1"), "llama") if v1 else "llama"


def _web(verb: str, name: str, v1: bool) -> Route:
    first = name.partition("/")[0]
    if name == "health":
        return Route("web", "health", "llama", "")
    if name in ("models/load", "models/unload"):
        return Route("web", name, "llama", "control")
    if name in _LISTS or (v1 and first == "models"):
        return Route("web", first, "openai" if v1 else "llama", "infer")
    if v1 or first not in _INTERNAL:
        return ELSEWHERE
    # What is sent over a Socket.IO that has no WebSocket comes as a POST; who may call what is asked there.
    reads = (verb == "GET" and first != "rpc") or first == "llamaproxws"
    if name.startswith("api/keys") or (not reads and name.startswith(("api/config", "api/logger"))):
        return Route("web", first, "web", "admin")
    return Route("web", first, "web" if first == "api" else "openai", "observe" if reads else "control")
