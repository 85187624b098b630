"""The picture of `llamactl top` in the README: `python -m tests.readme.picture MODEL.gguf…`, by hand.

A real daemon runs the models, real llama-servers answer for a while, and what `top` shows then is written as SVG.
"""

import io
import json
import os
import re
import sys
import tempfile
import threading
import time
import uuid
from contextlib import closing, suppress
from pathlib import Path

from rich.console import Console

from llamactl.cli.documents import ROOT
from llamactl.cli.top.drawing import screen
from llamactl.cli.top.looking import Looking, press
from llamactl.cli.top.pictures import FINE
from llamactl.cli.top.present import with_past
from llamactl.rpc.client import Client
from tests.e2e.running import PATIENCE, Daemon, Home
from tests.leftovers import put_down

PICTURE = ROOT / "man" / "top.svg"
SECONDS = 150.0
WIDTH, HEIGHT = 90, 24


def main(models: list[Path]) -> None:
    os.environ["STARTED_BY_TESTS"] = uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="ll") as place:
        home = Home(Path(place))
        daemon = Daemon(home, llama_server_threads="1", http_port="8134").wait_until_up()
        try:
            for model in models:
                home.run("models", "add", str(model))
            names = [row.name for row in home.instances()]
            for number in range(5):
                asking = (daemon, names[number % len(names)], number)
                threading.Thread(target=_talk, args=asking, daemon=True).start()
            time.sleep(SECONDS)
            with Client([str(home.runtime / "control.sock")], PATIENCE) as client:
                view = with_past(client)
            looking, _ = press(Looking(), "down", view)
        finally:
            daemon.end()
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for row in screen(view, looking, WIDTH, HEIGHT, FINE):
        console.print(row, no_wrap=True, crop=True, overflow="crop")
    picture = console.export_svg(title="llamactl top", unique_id="top")
    PICTURE.write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL))  # nothing is fetched to show it
    put_down(os.environ["STARTED_BY_TESTS"])


def _talk(daemon: Daemon, model: str, number: int) -> None:
    """One client, who asks, reads and thinks for a while."""
    time.sleep(9 * number)
    while True:
        with suppress(OSError), closing(daemon.connect(timeout=600)) as connection:
            body = {"model": model, "prompt": "A long story about a llama:", "max_tokens": 60 + 60 * number}
            connection.request("POST", "/v1/completions", json.dumps({**body, "stream": True}))
            connection.getresponse().read()
        time.sleep(2 + 3 * number)


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
