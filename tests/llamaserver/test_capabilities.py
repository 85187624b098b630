import os
from pathlib import Path

import pytest

from llamactl.core.errors import Refused
from llamactl.llamaserver import capabilities
from llamactl.llamaserver.capabilities import NEEDED, examine, flags_in, version_in
from llamactl.llamaserver.locate import Engine
from tests.engines.fake import Vices

pytestmark = pytest.mark.anyio


def script(path: Path, *lines: str) -> Engine:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return Engine(str(path), "configuration")


async def test_a_real_one(real: Engine) -> None:
    able = await examine(real)
    assert {
        *NEEDED,
        "-m",
        "-c",
        "-ngl",
        "--n-gpu-layers",
        "--no-jinja",
        "--metrics",
        "-hfr",
        "--no-kv-offload",
    } <= able.flags
    assert all(flag.startswith("-") for flag in able.flags)
    assert len(able.flags) > 300
    assert able.version
    assert able.build == 1, "a build without git history: never decide by it"


async def test_the_fake(fake: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in Vices(lacks=["--metrics"]).environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(capabilities, "_known", {})
    able = await examine(fake)
    assert (able.version, able.build) == ("9999 (fake)", 9999)
    assert able.has("--jinja")
    assert not able.has("--metrics")


async def test_it_is_run_once_until_its_file_changes(tmp_path: Path, fake: Engine) -> None:
    runs = tmp_path / "runs"
    engine = script(tmp_path / "wrapper", f'echo "$1" >> {runs}', f'exec {fake.path} "$@"')
    assert await examine(engine) is await examine(engine)
    assert sorted(runs.read_text().split()) == ["--help", "--version"], "both at once"
    os.utime(engine.path, (1, 1))
    await examine(engine)
    assert len(runs.read_text().split()) == 4


@pytest.mark.parametrize("program", ["true", "echo", "sh", "sleep"])
async def test_a_program_that_is_something_else(program: str) -> None:
    path = next(place / program for place in map(Path, ("/bin", "/usr/bin")) if (place / program).exists())
    with pytest.raises(Refused, match=f"{path} is no usable llama-server: ") as caught:
        await examine(Engine(str(path), "PATH"))
    assert "llama_server.path" in caught.value.hint


async def test_one_flag_is_missing(tmp_path: Path) -> None:
    engine = script(tmp_path / "x", "echo '--model X'", "echo '--host X'", "echo '--port X  see --ctx-size'")
    with pytest.raises(Refused, match=r"its --help knows no --ctx-size$"):
        await examine(engine)


@pytest.mark.parametrize(
    "hang", ["exec sleep 60", "sleep 60", "sleep 60 & exit 0", "trap '' TERM; sleep 60 & sleep 60"]
)
async def test_one_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hang: str) -> None:
    monkeypatch.setattr(capabilities, "TIMEOUT", 0.2)
    why = "gave no answer to --help within 0.2 s" if "exit" not in hang else "its --help knows no"
    with pytest.raises(Refused, match=why):
        await examine(script(tmp_path / "x", hang))  # that nobody is left is checked after every test


async def test_one_that_never_ends_talking(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no usable llama-server"):
        await examine(script(tmp_path / "x", "while :; do echo talk talk talk talk talk talk; done"))


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("kill -SEGV $$", r"killed by signal 11 \(SEGV\)"),
        ("echo 'error while loading shared libraries: libcudart.so.12'; exit 127", "libcudart.so.12"),
        ("exit 3", "exit code 3, without a word"),
    ],
)
async def test_one_that_crashes(tmp_path: Path, end: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        await examine(script(tmp_path / "x", end))


async def test_one_that_cannot_be_run(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be run: No such file"):
        await examine(Engine(str(tmp_path / "gone"), "configuration"))
    (tmp_path / "noise").write_bytes(b"\0\1\2")
    (tmp_path / "noise").chmod(0o755)
    with pytest.raises(Refused, match="Exec format error"):
        await examine(Engine(str(tmp_path / "noise"), "configuration"))


def test_flags() -> None:
    text = """\
----- common params -----

-h,    --help, --usage                  print usage and exit
-kvo,  --kv-offload, -nkvo, --no-kv-offload
                                        whether to enable KV cache offloading (env: X), not --mentioned
--mlock                                 DEPRECATED in favor of `--load-mode`: --nothing
-lm,   --load-mode MODE                 model loading mode
                                        - none: no special loading mode
-l,    --logit-bias TOKEN_ID(+/-)BIAS   modifies
--fim-qwen-1.5b-default                 use default Qwen
  -t N, --threads N     as builds of 2023 wrote it
"""
    assert flags_in(text) == {
        *("-h", "--help", "--usage"),
        *("-kvo", "--kv-offload", "-nkvo", "--no-kv-offload"),
        *("--mlock", "-lm", "--load-mode", "-l", "--logit-bias", "--fim-qwen-1.5b-default", "-t", "--threads"),
    }


@pytest.mark.parametrize(
    ("text", "version", "build"),
    [
        ("version: 6123 (79c1160b)\nbuilt with cc", "6123 (79c1160b)", 6123),
        ("ggml_cuda_init: found 1 CUDA devices\nversion: 6123 (79c1160b)\n", "6123 (79c1160b)", 6123),
        ("version: 0.1.0-dev (build 1, commit 7e4c0a9)\n", "0.1.0-dev (build 1, commit 7e4c0a9)", 1),
        ("ik_llama fork 2025\n", "ik_llama fork 2025", None),
        ("", "unknown", None),
    ],
)
def test_versions(text: str, version: str, build: int | None) -> None:
    assert version_in(text) == (version, build)


@pytest.mark.anyio
async def test_a_library_that_is_missing_is_named_with_its_package(place: Path) -> None:
    path = place / "llama-server"
    why = "llama-server: error while loading shared libraries: libgomp.so.1: cannot open shared object file"
    path.write_text(f"#!/bin/sh\necho '{why}' >&2\nexit 127\n")
    path.chmod(0o755)
    with pytest.raises(Refused, match="no usable llama-server") as caught:
        await examine(Engine(str(path), "configuration"))
    assert caught.value.hint == "apt-get install libgomp1"
