"""`llamactl -H http://… config …`: the configuration of a daemon on another machine, which is asked for it."""

from typing import Any

import msgspec

from llamactl.cli import render
from llamactl.cli.daemon import restart_for
from llamactl.cli.session import session
from llamactl.core.errors import BadRequest, Refused
from llamactl.rpc.calls import ConfigRow, SetConfig, ShowConfig


class Row(msgspec.Struct, frozen=True):
    """A key; `value` with durations in seconds and sizes in bytes, None where it is not set or a secret. `origin` is
    known of those of this machine only."""

    key: str
    value: Any
    origin: Any = None

    @property
    def name(self) -> str:
        return self.key


def show() -> None:
    found = _rows()
    if not (session.machine or session.verbose):
        found = [row for row in found if row.value is not None or not row.key.startswith("llama_server.")]
    columns = {"KEY": [row.key for row in found], "VALUE": [row.text for row in found]}
    render.rows(("config", "config-key"), [Row(row.key, row.value) for row in found], columns, wide=set())


def get(key: str) -> None:
    row = next((row for row in _rows() if row.key == key), None)
    if row is None:
        raise BadRequest(f"unknown key {key}", "llamactl config show -v has them all")
    from llamactl.config.written import HIDDEN

    if row.text == HIDDEN:
        raise Refused(f"{key} is a secret, and is not shown", f"llamactl config set {key} -")
    if render.for_program("config-key", Row(row.key, row.value)):
        return
    if row.value is not None:
        render.text(msgspec.json.decode(row.text) if row.text.startswith('"') else row.text)


def change(call: SetConfig) -> None:
    """And say what has become of it."""
    with session.client() as client:
        done = client.call(call)
    keys = [*call.set, *call.unset]
    told = {
        "file": done.file,
        "keys": keys,
        "changed": done.written,
        "reload": False,
        "restart": bool({*keys} & {*done.restart_for}),
    }
    if render.for_program("config-change", told):
        return
    now = f"counts from now on: {', '.join(done.changed)}" if done.changed else "nothing counts that did not before"
    render.note(f"{now} ({done.file})")
    restart_for(done.restart_for)
    for variable in done.hidden_by:
        render.note(f"{variable} in the daemon's environment wins over it")


def _rows() -> list[ConfigRow]:
    with session.client() as client:
        return client.call(ShowConfig()).keys
