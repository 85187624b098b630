"""Whom a request is for."""

import pytest

from llamactl.proxy.routing import ELSEWHERE, Route, route

BOTH = (
    "chat/completions",
    "chat/completions/input_tokens",
    "completions",
    "responses",
    "responses/input_tokens",
    "embeddings",
    "rerank",
    "reranking",
    "audio/transcriptions",
)
ONLY_V1 = ("messages", "messages/count_tokens", "chat/completions/control")
NEVER_V1 = ("completion", "embedding", "infill", "tokenize", "detokenize", "apply-template")


@pytest.mark.parametrize("name", BOTH)
def test_what_llama_server_has_in_both_places_goes_on_as_it_came(name: str) -> None:
    for prefix in ("/", "/v1/"):
        found = route(b"POST", f"{prefix}{name}".encode())
        assert (found.kind, found.endpoint, found.named, found.scope) == ("model", name, "body", "infer")
        assert found.path == b""


@pytest.mark.parametrize(("names", "right", "wrong"), [(ONLY_V1, "/v1/", "/"), (NEVER_V1, "/", "/v1/")])
def test_what_it_has_in_one_place_is_found_in_both(names: tuple[str, ...], right: str, wrong: str) -> None:
    for name in names:
        assert route(b"POST", f"{right}{name}".encode()).path == b""
        moved = route(b"POST", f"{wrong}{name}".encode())
        assert (moved.kind, moved.endpoint, moved.path) == ("model", name, f"{right}{name}".encode())


@pytest.mark.parametrize("name", [*BOTH, *ONLY_V1, *NEVER_V1])
def test_only_post_asks_a_model_for_an_answer(name: str) -> None:
    for method in (b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"post", b""):
        assert route(method, f"/v1/{name}".encode()).kind == "web"


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        (b"GET", b"/slots", b""),
        (b"HEAD", b"/slots", b"model=a"),
        (b"GET", b"/lora-adapters", b""),
        (b"POST", b"/lora-adapters", b""),
        (b"GET", b"/props", b"model=a"),
        (b"POST", b"/props", b""),
        (b"GET", b"/metrics", b"x=1&model=a"),
    ],
)
def test_what_names_its_model_in_the_query(method: bytes, path: bytes, query: bytes) -> None:
    found = route(method, path, query)
    assert (found.kind, found.named, found.dialect, found.path) == ("model", "query", "llama", b"")
    assert route(method, b"/v1" + path, query) == Route("model", found.endpoint, "llama", "infer", "query", path)


def test_without_a_model_props_and_metrics_are_ours() -> None:
    for query in (b"", b"model=", b"models=a", b"x_model=a"):
        assert route(b"GET", b"/props", query).kind == "web"
        assert route(b"GET", b"/metrics", query).kind == "web"
    assert route(b"GET", b"/metrics").scope == "observe"
    assert route(b"GET", b"/props").scope == "infer"


def test_slots() -> None:
    for path in (b"/slots/0", b"/v1/slots/17"):
        found = route(b"POST", path, b"action=save")
        assert (found.kind, found.endpoint, found.named) == ("model", "slots", "body")
        assert found.path in (b"", b"/slots/17")
        assert route(b"GET", path).kind == "web"
    for path in (b"/slots/", b"/slots/x", b"/slots/0/", b"/slots/-1", b"/slots", b"/v1/v1/slots/1"):
        assert route(b"POST", path).kind == "web"


def test_upstream() -> None:
    for method in (b"GET", b"POST", b"DELETE", b"PUT", b"PATCH", b"HEAD"):
        found = route(method, b"/upstream/org%2Fa/v1/x%20y")
        assert (found.kind, found.endpoint, found.named) == ("model", "upstream", "path")
        assert found.rest == b"org%2Fa/v1/x%20y"
    for path in (b"/upstream", b"/v1/upstream/a/", b"/Upstream/a/"):
        assert route(b"GET", path).kind == "web"


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        (b"/v1/chat/completions", "openai"),
        (b"/completions", "openai"),
        (b"/completion", "llama"),
        (b"/v1/responses", "responses"),
        (b"/messages", "anthropic"),
        (b"/v1/messages/count_tokens", "anthropic"),
        (b"/upstream/a/v1/messages", "anthropic"),
        (b"/upstream/v1/v1/messages/count_tokens", "anthropic"),
        (b"/upstream/v1/v1/completions", "openai"),
        (b"/upstream/a/completion", "llama"),
        (b"/models/load", "llama"),
        (b"/v1/nothing", "openai"),
        (b"/api/models", "web"),
    ],
)
def test_dialects(path: bytes, dialect: str) -> None:
    assert route(b"POST", path).dialect == dialect


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        (b"GET", b"/health", ""),
        (b"GET", b"/v1/health", ""),
        (b"OPTIONS", b"/v1/chat/completions", ""),
        (b"OPTIONS", b"/api/models", ""),
        (b"GET", b"/models", "infer"),
        (b"GET", b"/v1/models", "infer"),
        (b"GET", b"/v1/models/org/a", "infer"),
        (b"GET", b"/models/sse", "infer"),
        (b"POST", b"/models/load", "control"),
        (b"POST", b"/models/unload", "control"),
        (b"POST", b"/v1/models/load", "control"),
        (b"GET", b"/api/models", "observe"),
        (b"HEAD", b"/api/models", "observe"),
        (b"POST", b"/api/models/a/start", "control"),
        (b"DELETE", b"/api/models/a", "control"),
        (b"GET", b"/rpc", "control"),
        (b"POST", b"/rpc", "control"),
        (b"GET", b"/llamaproxws", "observe"),
        (b"GET", b"/nothing", "observe"),
    ],
)
def test_scopes(method: bytes, path: bytes, scope: str) -> None:
    found = route(method, path)
    assert (found.kind, found.scope) == ("web", scope)


@pytest.mark.parametrize(
    ("query", "autoload"),
    [
        (b"", True),
        (b"autoload=true", True),
        (b"autoload=1&model=a", True),
        (b"autoload=false", False),
        (b"model=a&autoload=0", False),
        (b"xautoload=false", True),
        (b"autoload", True),
    ],
)
def test_autoload(query: bytes, autoload: bool) -> None:
    assert route(b"POST", b"/v1/completions", query).autoload is autoload
    assert route(b"GET", b"/slots", query).autoload is autoload


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/v1",
        b"/v1/",
        b"/v2/chat/completions",
        b"/v1/v1/completions",
        b"//completions",
        b"/v1//completions",
        b"/v1/completions/",
        b"/V1/completions",
        b"/v1/Completions",
        b"/v1/completions%00",
        b"/v1%2Fcompletions",
        b"/x/../completions",
        b"/chat",
        b"/embeddings.json",
        b"/v1/chat/completions?x",
        b"/v1/api/models",
    ],
)
def test_everything_else_is_nothing_that_is_known(path: bytes) -> None:
    assert route(b"POST", path) == ELSEWHERE


@pytest.mark.parametrize("path", [b"", b"*", b"completions"])
def test_what_is_no_path(path: bytes) -> None:
    assert route(b"POST", path).kind == "web"
