"""The life of a fake llama-server."""

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from tests.engines.fake.answers import respond
from tests.engines.fake.connection import Connection
from tests.engines.fake.state import State

HELP = Path(__file__).with_name("help.txt")
VERSION = "version: 9999 (fake)\nbuilt with Python for testing\n"


def main(arguments: list[str]) -> None:
    state = State(arguments)
    if "--help" in arguments or "-h" in arguments:
        lines = HELP.read_text().splitlines(keepends=True)
        sys.stdout.writelines(line for line in lines if not any(flag in line for flag in state.vices.lacks))
        return
    if "--version" in arguments:
        sys.stderr.write(VERSION)
        return
    if "--list-devices" in arguments:
        sys.stdout.write("Available devices:\n")
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # `_told_to_stop` looks for it, in this thread
    state.record("start", arguments=arguments, environment=dict(os.environ), session=os.getsid(0), group=os.getpgid(0))
    state.log("I", f"srv    load_model: loading model '{state.model}'")
    if not state.model.exists():
        state.log("E", f"gguf_init_from_file: failed to open GGUF file '{state.model}' (No such file or directory)")
        state.log("E", "srv  llama_server: exiting due to model loading error")
        sys.exit(1)
    state.crash_if("start")
    if state.vices.fork:
        _fork(state)
    if not state.vices.never_listen:
        _listen(state)
    if not _told_to_stop(state, state.vices.load_seconds):
        state.crash_if("ready")
        state.log("I", "srv  llama_server: model loaded")
        state.log("I", f"srv  llama_server: listening on unix://{state.host}")
        state.ready.set()
        said, began = 0, time.monotonic()
        while not _told_to_stop(state, 0.005 if state.vices.chatter else 3600):
            due = int((time.monotonic() - began) * state.vices.chatter)
            for number in range(said, due):
                state.log("I", f"srv  chatter: {number} {'x' * 60}")
            said = due
    _stop(state)


def _told_to_stop(state: State, within: float) -> bool:
    """SIGTERM came within so many seconds, and is not ignored."""
    until = time.monotonic() + within
    while (left := until - time.monotonic()) > 0:
        if signal.sigtimedwait({signal.SIGTERM}, left):
            state.record("sigterm")
            if not state.vices.ignore_sigterm:
                return True
    return False


def _stop(state: State) -> None:
    state.stopping.set()
    until = time.monotonic() + state.vices.linger
    while state.busy and time.monotonic() < until:
        if _told_to_stop(state, 0.005):
            state.say("Received second interrupt, terminating immediately.")
            os._exit(1)
    state.log("I", "srv    operator(): operator(): cleaning up before exit...")
    os._exit(0)  # the other threads are not waited for


def _fork(state: State) -> None:
    child = os.fork()
    if child == 0:
        if state.vices.own_group:
            os.setpgid(0, 0)
        while state.vices.fork == "bystander":
            time.sleep(60)
    elif state.vices.fork == "server":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)


def _listen(state: State) -> None:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(state.host)
    except OSError:
        state.log("E", f"srv         start: couldn't bind HTTP server socket, hostname: {state.host}, port: 8080")
        state.log("E", "srv  llama_server: exiting due to HTTP server error")
        sys.exit(1)
    listener.listen(512)

    def accept() -> None:
        while True:
            connection = Connection(listener.accept()[0], state, respond)
            threading.Thread(target=connection.serve, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
