"""What is typed in some home, without the time that starting Python takes: the same code, in this process."""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NamedTuple

import msgspec
import pytest

from llamactl.cli import app
from llamactl.cli.session import Session, session
from tests.cli.conftest import READY_MADE
from tests.e2e.running import Home


class Said(NamedTuple):
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def typed(home: Home, *words: str, **env: str) -> Said:
    """`llamactl …`, off a terminal."""
    for name, value in msgspec.structs.asdict(Session()).items():
        setattr(session, name, value)
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in {**home.env, **env}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdin", io.StringIO(""))
        patch.setattr(app, "commands", lambda word: READY_MADE)
        code = app.run(list(words))
    return Said(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))
