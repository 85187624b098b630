"""`llamactl chat`: one answer or a conversation, through the HTTP port as any client would have it."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.core.errors import BY_CODE, LlamactlError, Refused, Unauthorized, Unreachable
from llamactl.rpc.calls import Status

if TYPE_CHECKING:
    import http.client


def chat(
    model: Annotated[str, typer.Argument(metavar="MODEL")],
    prompt: Annotated[str | None, typer.Argument(help="Without it, a conversation; - reads stdin.")] = None,
    system: Annotated[str, typer.Option(help="A system prompt.")] = "",
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens of the answer at most.")] = None,
) -> None:
    """Ask a model; it is loaded if need be."""
    messages = [{"role": "system", "content": system}] if system else []
    if prompt == "-" or (prompt is None and not sys.stdin.isatty()):
        prompt = sys.stdin.read()
    if prompt is not None:
        _turn(model, messages, prompt, max_tokens)
        return
    if session.no_input:
        raise Refused("a conversation has to be typed", f"llamactl chat {model} PROMPT")
    render.note(f"Talking to {model}; end with Ctrl-D.")
    while True:
        try:
            said = input("> ")
        except EOFError:
            render.note("")
            return
        if said.strip():
            _turn(model, messages, said, max_tokens)


def _turn(model: str, messages: list[dict[str, str]], prompt: str, max_tokens: int | None) -> None:
    """One question and its answer, shown as it comes and added to `messages`."""
    messages.append({"role": "user", "content": prompt})
    body: dict[str, Any] = {"model": model, "messages": messages, "stream": True}
    if max_tokens is not None:
        body["max_tokens"] = max_tokens
    answer = ""
    for piece in stream(body):
        answer += piece
        if not session.json:
            render.text(piece, end="")
    if session.json:
        render.data("chat", {"model": model, "answer": answer})
    else:
        render.text("")
    messages.append({"role": "assistant", "content": answer})


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)


class _Trouble(msgspec.Struct):
    message: str = "unknown error"
    code: str | int | None = None


class _Event(msgspec.Struct):
    choices: list[_Choice] = []
    error: _Trouble | None = None


def stream(body: dict[str, Any]) -> Iterator[str]:
    """The pieces of a chat answer. Raises the error that the daemon answers, or `Unreachable`."""
    import http.client  # 25 ms that other commands do not need

    url = session.url
    if not url:
        with session.client() as client:
            url = next(url for url in client.call(Status()).http if url.startswith("http"))
    connection, status = _connection(url), 0
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("LLAMACTL_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    try:
        connection.request("POST", "/v1/chat/completions", msgspec.json.encode(body), headers)
        answer = connection.getresponse()
        status = answer.status
        if status != 200:
            raise _trouble(answer.read(), url, status)
        for line in answer:
            if line.startswith(b"data: [DONE]"):
                with suppress(OSError, http.client.HTTPException):
                    answer.read()  # who hangs up before the end counts as one that left
                return
            if line.startswith(b"data: {"):
                event = msgspec.json.decode(line[6:], type=_Event)
                if event.error is not None:
                    raise _trouble(line[6:], url, status)
                for choice in event.choices:
                    yield choice.delta.reasoning_content or choice.delta.content or ""
        raise ConnectionAbortedError("the connection was closed")  # which http.client takes for the end
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        if not status:
            from llamactl.rpc.remote import way_out  # 180 ms that only this needs

            raise Unreachable(f"no daemon answers at {url}: {error}", way_out(error, url)) from None
        raise Unreachable(f"the answer broke off: {error}", "llamactl logs " + str(body.get("model", ""))) from None
    finally:
        connection.close()


def _connection(url: str) -> "http.client.HTTPConnection":
    import http.client
    from urllib.parse import urlsplit

    to = urlsplit(url)
    if to.scheme != "https":
        return http.client.HTTPConnection(to.netloc)
    import ssl

    context = ssl.create_default_context()
    if to.hostname in ("127.0.0.1", "::1"):  # on the way to ourselves is nobody, and certificates have other names
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(to.netloc, context=context)


def _trouble(body: bytes, url: str, status: int) -> LlamactlError:
    try:
        trouble = msgspec.json.decode(body, type=_Event).error or _Trouble()
    except msgspec.DecodeError:
        return Unreachable(f"what answers at {url} is no llamactl daemon: HTTP {status}", "check the address")
    kind = BY_CODE.get(str(trouble.code), LlamactlError)
    return kind(trouble.message, "LLAMACTL_API_KEY=llk_… llamactl chat …" if kind is Unauthorized else "")
