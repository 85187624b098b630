"""Who stands between the load and the upstream. Each is up for as long as its `with` lasts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from .daemon import daemon
from .load import drive
from .place import ANSWER, CHAT, Place, Unavailable, free_port
from .processes import move, started, wait_until

NGINX = """
daemon off; worker_processes 1; worker_rlimit_nofile 20000; {user}
pid {home}/pid; error_log {home}/error.log warn;
events {{ worker_connections 8192; }}
http {{
    access_log off; client_max_body_size 100m; client_body_buffer_size 16m;
    client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
    keepalive_timeout 3600s; keepalive_requests 1000000000;
    upstream bench {{ server unix:{upstream}; keepalive 1024; keepalive_requests 1000000000; keepalive_timeout 3600s; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://bench; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_buffering off; proxy_read_timeout 600s;
        }}
    }}
}}
"""
"""Request bodies are held in memory, never in a file: whoever reads the model out of the body does the same."""


@dataclass(frozen=True)
class Contender:
    """One of those compared: where it listens, and the processes it consists of, without the upstream."""

    name: str
    address: str
    processes: Sequence[psutil.Process]
    key: str = ""
    """What is to be shown there, if anything is."""


@contextmanager
def upstream(place: Place) -> Iterator[Path]:
    """The C upstream on the core of the load; its socket."""
    home = place.fresh("u")
    path = home / "s.sock"
    with started([str(place.upstream), "--host", str(path)], home / "output", core=place.load_core) as process:
        wait_until(path.exists, "the upstream", process, home / "output")
        yield path


@contextmanager
def direct(place: Place) -> Iterator[Contender]:
    """Nobody: the load speaks to the upstream's socket itself. What is measured here is not the contenders' doing."""
    with upstream(place) as path:
        yield Contender("direct", str(path), ())


@contextmanager
def nginx(place: Place) -> Iterator[Contender]:
    """nginx with one worker and kept-alive connections to the upstream, without an access log."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if not binary:
        raise Unavailable("nginx is not installed")
    home, port = place.fresh("n"), free_port()
    with upstream(place) as path:
        user = "user root;" if os.geteuid() == 0 else ""
        (home / "conf").write_text(NGINX.format(home=home, upstream=path, port=port, user=user))
        command = [binary, "-p", str(home), "-e", f"{home}/error.log", "-c", f"{home}/conf"]
        with started(command, home / "output", core=place.proxy_core) as process:
            wait_until((home / "pid").exists, "nginx", process, home / "output")
            master = psutil.Process(process.pid)
            wait_until(lambda: bool(master.children()), "nginx", process, home / "output")
            yield Contender("nginx", f"127.0.0.1:{port}", [master, *master.children()])


@contextmanager
def llamactl(
    place: Place, settings: Mapping[str, str] | None = None, key: Sequence[str] | None = None
) -> Iterator[Contender]:
    """The daemon as it is delivered, its llama-server replaced by the C upstream and moved to the core of the load.

    `settings` are further ones. `key` is what `keys create` is told; None: no key is needed.
    """
    own_settings = {"LLAMACTL_LLAMA_SERVER_PATH": str(place.upstream), "LLAMACTL_RESIDENCY_TTL": "-1"}
    with daemon(place, {**own_settings, **(settings or {})}, core=place.proxy_core) as running:
        running.run("models", "add", str(place.model()), "--name", "bench")
        running.load(CHAT, place.body().read_bytes())
        own, servers = running.family(place.upstream)
        if not servers:
            raise Unavailable("the daemon answered, but no child of it runs the upstream")
        for server in servers:
            move(server, place.load_core)
        shown = "" if key is None else running.run("keys", "create", "load", *key).strip()
        yield Contender("llamactl", f"127.0.0.1:{running.port}", own, shown)


CONTENDERS: dict[str, Callable[[Place], AbstractContextManager[Contender]]] = {
    "direct": direct,
    "nginx": nginx,
    "llamactl": llamactl,
}


@contextmanager
def running(place: Place, names: Sequence[str], warm: int = 64) -> Iterator[list[Contender]]:
    """The named contenders, all up and warmed with that many connections; who cannot is named and left out."""
    with ExitStack() as stack:
        up = []
        for name in names:
            try:
                contender = stack.enter_context(CONTENDERS[name](place))
                drive(place, contender, place.body(), connections=warm, seconds=0.3, expect=ANSWER)
            except Unavailable as reason:
                print(f"without {name}: {reason}", flush=True)
            else:
                up.append(contender)
        if not up:
            raise Unavailable("no contender is left")
        yield up
