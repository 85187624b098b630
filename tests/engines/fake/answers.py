"""What a fake llama-server answers, path by path."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.engines.fake.connection import Connection, Request
from tests.engines.fake.state import State

Json = dict[str, Any]


def respond(connection: Connection, request: Request, state: State) -> None:
    path = request.path.partition("?")[0]
    if request.header("upgrade").lower() == "echo":
        return _give_back(connection)
    if not state.ready.is_set():
        return _refuse(connection, request, "503 Service Unavailable", "Loading model", "unavailable_error")
    if path == "/echo":
        return connection.reply(request, request.summary())
    if about := ABOUT.get(path.removeprefix("/v1")):
        return connection.reply(request, about(state))
    if infer := INFERENCE.get(path.removeprefix("/v1")):
        state.crash_if("before_answer")
        connection.pause(state.vices.first_byte_delay)
        try:
            asked = json.loads(request.body)
        except ValueError as error:
            message = f"[json.exception.parse_error.101] parse error: {error}"
            return _refuse(connection, request, "500 Internal Server Error", message, "server_error")
        return infer(connection, request, state, asked)
    _refuse(connection, request, "404 Not Found", "File Not Found", "not_found_error")


def _refuse(connection: Connection, request: Request, status: str, message: str, kind: str) -> None:
    connection.reply(request, {"error": {"code": int(status[:3]), "message": message, "type": kind}}, status)


def _give_back(connection: Connection) -> None:
    connection.ends = True
    connection.client.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    connection.client.sendall(connection.buffer)
    while piece := connection.client.recv(65536):
        connection.client.sendall(piece)


def _chat(connection: Connection, request: Request, state: State, asked: Json) -> None:
    if "messages" not in asked:
        return _refuse(connection, request, "400 Bad Request", "'messages' is required", "invalid_request_error")
    said = [message["content"] for message in asked["messages"] if message.get("role") == "user"]
    usage, timings = _accounts(state, asked)
    about = {
        "created": int(time.time()),
        "id": f"chatcmpl-{request.number}",
        "model": state.alias,
        "echo": said[-1] if said else "",
    }

    def chunk(delta: Json, finish: str | None = None, **more: Any) -> bytes:
        choice = {"finish_reason": finish, "index": 0, "delta": delta}
        return _event({"choices": [choice], **about, "object": "chat.completion.chunk", **more})

    def chunks() -> Iterator[bytes]:
        first = chunk({"role": "assistant", "content": None})  # one piece with the first token, as from the real one
        for token in _tokens(connection, asked):
            yield first + chunk({"content": token})
            first = b""
        if (asked.get("stream_options") or {}).get("include_usage"):
            yield chunk({}, "length")
            yield _event(
                {"choices": [], **about, "object": "chat.completion.chunk", "usage": usage, "timings": timings}
            )
        else:
            yield chunk({}, "length", timings=timings)
        yield b"data: [DONE]\n\n"

    if asked.get("stream"):
        return connection.stream(request, chunks())
    message = {"role": "assistant", "content": _text(connection, asked)}
    choice = {"finish_reason": "length", "index": 0, "message": message}
    whole = {"choices": [choice], **about, "object": "chat.completion", "usage": usage, "timings": timings}
    connection.reply(request, whole)


def _complete(connection: Connection, request: Request, state: State, asked: Json) -> None:
    usage, timings = _accounts(state, asked)
    openai = request.path.startswith("/v1")
    about = {"model": state.alias, "echo": asked.get("prompt", "")}

    def answer(text: str, stop: bool) -> Json:
        last: Json = {"usage": usage, "timings": timings} if stop else {}
        if openai:
            choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": "length" if stop else None}
            return {"choices": [choice], **about, "object": "text_completion", **last}
        return {"index": 0, "content": text, "stop": stop, **about, **last}

    def events() -> Iterator[bytes]:
        for token in _tokens(connection, asked):
            yield _event(answer(token, False))
        yield _event(answer("", True))
        if openai:
            yield b"data: [DONE]\n\n"

    if asked.get("stream"):
        return connection.stream(request, events())
    connection.reply(request, answer(_text(connection, asked), True))


def _embed(connection: Connection, request: Request, state: State, asked: Json) -> None:
    texts = asked.get("input", asked.get("content", ""))
    texts = texts if isinstance(texts, list) else [texts]
    data = [{"embedding": [len(text) / 8] * 8, "index": n, "object": "embedding"} for n, text in enumerate(texts)]
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    connection.reply(
        request, {"model": asked.get("model", state.alias), "object": "list", "usage": usage, "data": data}
    )


def _count(state: State, asked: Json) -> int:
    return int(asked.get("max_tokens") or asked.get("n_predict") or state.vices.tokens)


def _tokens(connection: Connection, asked: Json) -> Iterator[str]:
    state = connection.state
    for number in range(count := _count(state, asked)):
        connection.pause(state.vices.token_interval)
        if number >= count // 2:
            state.crash_if("mid_stream")
        yield f"t{number} "


def _text(connection: Connection, asked: Json) -> str:
    vices, count = connection.vices, _count(connection.state, asked)
    connection.pause(count * vices.token_interval)
    return "".join(f"t{number} " for number in range(count)).ljust(vices.answer_size, "x")


def _accounts(state: State, asked: Json) -> tuple[Json, Json]:
    """`usage` and `timings`; every prompt has 5 tokens, and every token takes 1 ms."""
    count = _count(state, asked)
    usage = {"completion_tokens": count, "prompt_tokens": 5, "total_tokens": count + 5}
    prompt = {"cache_n": 0, "prompt_n": 5, "prompt_ms": 5.0, "prompt_per_token_ms": 1.0, "prompt_per_second": 1000.0}
    predicted = {"predicted_n": count, "predicted_ms": float(count), "predicted_per_second": 1000.0}
    return usage, {**prompt, **predicted}


def _event(data: Json) -> bytes:
    return b"data: " + json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def _props(state: State) -> Json:
    about: Json = {"total_slots": 4, "model_alias": state.alias, "model_path": str(state.model)}
    modalities = {"vision": state.vices.sees, "audio": False}
    about["default_generation_settings"] = {"n_ctx": 4096}
    return {**about, "build_info": "b9999-fake", "is_sleeping": False, "modalities": modalities}


def _models(state: State) -> Json:
    model = {"id": state.alias, "aliases": [state.alias], "object": "model", "created": int(time.time())}
    meta = {"n_vocab": 259, "n_ctx_train": 4096, "n_embd": 64, "n_params": 1_000_000, "size": 4_000_000}
    return {"object": "list", "data": [{**model, "owned_by": "llamacpp", "meta": meta}]}


ABOUT: dict[str, Callable[[State], Any]] = {
    "/health": lambda _: {"status": "ok"},
    "/models": _models,
    "/props": _props,
    "/slots": lambda _: [{"id": slot, "n_ctx": 4096, "is_processing": False} for slot in range(4)],
    "/metrics": lambda state: f"llamacpp:requests_processing {len(state.busy) - 1}\n",
}
INFERENCE: dict[str, Callable[[Connection, Request, State, Json], None]] = {
    "/chat/completions": _chat,
    "/completions": _complete,
    "/completion": _complete,
    "/embeddings": _embed,
    "/embedding": _embed,
}
