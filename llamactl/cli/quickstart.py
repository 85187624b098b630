"""`llamactl quickstart`: engine, model, daemon and one answer, in one command; twice, it does nothing twice."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from llamactl.cli import chat, loading, process, render
from llamactl.cli.session import session
from llamactl.config.directories import find_directories
from llamactl.core.errors import LlamactlError, NotFound, Unreachable, from_problem
from llamactl.rpc.calls import AddModel, DaemonStatus, Engine, FetchStarter, ListModels, StartModel, Status

PROMPT = "In one sentence: what is a llama?"
LONGEST = 256
"""Tokens of the answer at most: a small model may well go on for ever."""


def quickstart(
    model: Annotated[Path | None, typer.Option(metavar="FILE", help="A GGUF file of your own.")] = None,
    prompt: Annotated[str, typer.Option(help="What to ask it.")] = PROMPT,
) -> None:
    """Set everything up and get a first answer."""
    if model is not None and not session.url and not model.expanduser().is_file():
        raise NotFound(f"there is no file {model}", "llamactl quickstart, without --model, fetches one")
    own = None if model is None else session.path(model)
    status, started = _daemon()
    try:
        _engine()
        name = _model(own, status)
        with loading.loading(name), session.client(timeout=None) as client:
            row = client.call(StartModel(name))
        _done(
            "model", f"{name} is ready" + ("" if row.load_seconds is None else f" ({row.load_seconds:.1f} s to load)")
        )
    except BaseException:
        if started:  # leave nothing running that was not before
            with suppress(LlamactlError):
                process.bring_down(patience=5)
        raise
    url = session.url or status.http[0]
    _done("answer", f"through {url}/v1/chat/completions")
    render.note(f"\n> {prompt}")
    answer = ""
    messages = [{"role": "user", "content": prompt}]
    for piece in chat.stream({"model": name, "messages": messages, "max_tokens": LONGEST, "stream": True}):
        answer += piece
        if not session.json:
            render.text(piece, end="")
    if session.json:
        render.data("quickstart", {"model": name, "url": url, "answer": answer})
        return
    render.text("")
    render.note("\nNext:")
    talk = f"llamactl chat {name}"
    for command, what in (
        (talk, "talk to it"),
        ("llamactl ps", "what runs, and what it takes"),
        ("llamactl models add FILE", "a model of your own"),
    ):
        render.note(f"  {command:<{max(len(talk), 24)}}  {what}")


def _daemon() -> tuple[DaemonStatus, bool]:
    """True if it had to be started, which can be done here only."""
    try:
        with session.client() as client:
            status = client.call(Status())
    except Unreachable as error:
        if session.url:
            raise Unreachable(error.message, "on that machine: llamactl daemon start") from None
    else:
        _done("daemon", f"runs already (pid {status.pid})")
        return status, False
    process.bring_up()
    with session.client() as client:
        status = client.call(Status())
    _done("daemon", f"started (pid {status.pid}) on {', '.join(status.http)}")
    return status, True


def _engine() -> None:
    with render.working("trying llama-server …"), session.client(timeout=30) as client:
        engine = client.call(Engine())
    if engine.problem is not None:
        raise from_problem(engine.problem)
    _done("engine", f"llama-server {engine.version} ({engine.origin}: {engine.path})")


def _model(own: str | None, status: DaemonStatus) -> str:
    """The name of the model to use, which is in the catalogue afterwards."""
    if own is not None:
        with session.client() as client:
            return client.call(AddModel(own)).name
    from llamactl.catalogue import starter  # urllib, ssl, the catalogue: 170 ms that only this needs

    target = Path(status.data) / "models" / starter.FILE
    with session.client() as client:
        called = [row for row in client.call(ListModels()) if starter.NAME in (row.name, *row.aliases)]
    if any(not row.missing and Path(row.path) != target for row in called):
        return starter.NAME  # the same from elsewhere, or what somebody has instead
    directories = find_directories()
    if session.url or Path(status.data) != directories.data:  # it could not read what is ours
        with loading.fetching(), session.client(timeout=None) as client:
            return client.call(FetchStarter()).name
    path = starter.starter_model(directories.models, render.progress)
    with session.client() as client:
        return client.call(AddModel(str(path), starter.NAME)).name


def _done(what: str, how: str) -> None:
    render.note(f"✓ {what:<7} {how}")
