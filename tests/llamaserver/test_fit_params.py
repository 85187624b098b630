"""A stand-in that prints what llama.cpp's `tools/fit-params` does: the real one is not in the wheel."""

import json
import sys
from pathlib import Path

import pytest

from llamactl.core.model import Setting
from llamactl.core.parts import Parts
from llamactl.llamaserver.fit_params import Advice, advice_in, analyse, arguments, projected_in, tool
from llamactl.llamaserver.locate import Engine
from llamactl.llamaserver.memory import MIB

pytestmark = pytest.mark.anyio

HELP = """
-m,    --model FNAME                    model path to load
-c,    --ctx-size N                     size of the prompt context
-fa,   --flash-attn [on|off|auto]       set Flash Attention use
-kvo,  --kv-offload, -nkvo, --no-kv-offload
                                        whether to enable KV cache offloading
-ts,   --tensor-split N0,N1,N2,...      fraction of the model to offload to each GPU
-fitp, --fit-print [on|off]             print the estimated required memory
"""
SIZES = """fit_params: printing estimated memory in MiB to stdout (device, model, context, compute) ...
CUDA0 4403 1024 368 
CUDA1 100 20 3 
Host 281 0 72 
"""  # noqa: W291
FITTED = """llama_params_fit: successfully fit params to free device memory
-c 8192 -ngl 33 -ts 25,8 -ot "blk\\.7\\.ffn_(up|down)=CPU,x=CUDA1"
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def program(place: Path, sizes: str = SIZES, code: int = 0) -> Engine:
    """An engine with the stand-in beside it, which notes what it is asked."""
    (place / "llama-server").write_text("")
    path = place / "llama-fit-params"
    path.write_text(
        f"#!{sys.executable}\n"
        "import json, sys\n"
        f"print(json.dumps(sys.argv[1:]), file=open({str(place / 'asked')!r}, 'a'))\n"
        f"if sys.argv[1:] == ['--help']: print({HELP!r})\n"
        f"elif sys.argv[-2:] == ['--fit-print', 'on']: print({sizes!r}, end=''); sys.exit({code})\n"
        f"else: print({FITTED!r}, end='')\n"
    )
    path.chmod(0o755)
    return Engine(str(place / "llama-server"), "configuration")


async def test_it_is_asked_for_the_sizes_and_for_what_fits(tmp_path: Path) -> None:
    found = tool(program(tmp_path))
    assert found is not None
    analysis = await analyse(found, "/m.gguf", {"ctx_size": 512, "kv_offload": False, "temperature": 0.5})
    assert analysis.projected == {
        "CUDA0": Parts(weights=4403 * MIB, kv=1024 * MIB, compute=368 * MIB),
        "CUDA1": Parts(weights=100 * MIB, kv=20 * MIB, compute=3 * MIB),
        "host": Parts(weights=281 * MIB, compute=72 * MIB),
    }
    assert analysis.advice == Advice(8192, 33, "25,8", r"blk\.7\.ffn_(up|down)=CPU,x=CUDA1")
    assert analysis.trouble == ""
    assert SIZES in analysis.raw
    asked = [json.loads(line) for line in (tmp_path / "asked").read_text().splitlines()]
    words = ["--model", "/m.gguf", "--ctx-size", "512", "--no-kv-offload"]
    assert asked == [["--help"], [*words, "--fit-print", "on"], words]


async def test_one_that_fails_says_nothing(tmp_path: Path) -> None:
    found = tool(program(tmp_path, "GGML_ASSERT(dmd.size() == devs.size() + 1) failed\n", 134))
    assert found is not None
    analysis = await analyse(found, "/m.gguf", {})
    assert (analysis.projected, analysis.advice) == ({}, Advice())
    assert analysis.trouble


async def test_one_that_prints_no_sizes(tmp_path: Path) -> None:
    found = tool(program(tmp_path, "nothing of interest\n"))
    assert found is not None
    assert (await analyse(found, "/m.gguf", {})).trouble == "it printed no sizes"


async def test_there_may_be_none(tmp_path: Path) -> None:
    assert tool(Engine(str(tmp_path / "llama-server"), "PATH")) is None


async def test_only_what_it_knows_is_passed() -> None:
    settings: dict[str, Setting] = {"flash_attn": "on", "cache_type_k": "q8_0", "tensor_split": "3,1"}
    settings |= {"swa_full": True, "kv_offload": True}
    assert arguments(settings, frozenset({"-fa", "--tensor-split", "--kv-offload"})) == [
        *("-fa", "on", "--kv-offload", "--tensor-split", "3,1"),
    ]  # fmt: skip


async def test_lines_of_another_form_are_logs() -> None:
    assert projected_in("a b c d\n1 2 3\nCUDA0 1 2 3 4\nCUDA0 1 2 x\n\n") == {}
    assert advice_in("no arguments here") == Advice()
    assert advice_in("-c 4096 -ngl 0") == Advice(4096, 0)
    assert advice_in('-c 4096 -ot "unfinished') == Advice()
