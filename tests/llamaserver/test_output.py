"""Why it ended: lines that real ones wrote, shortened where they repeat themselves."""

import signal

import pytest

from llamactl.llamaserver.output import reason

BANNER = """\
0.00.003.079 I cmn  common_param: common_params_print_info: verbosity = 3 (adjust with the `-lv N` CLI arg)
0.00.003.593 W srv  llama_server: -----------------
0.00.003.598 W srv  llama_server: CORS is set to allow all origins ('*') and no API key is set
0.00.004.729 I srv    load_model: loading model '/m.gguf'
AMX is not ready to be used!
"""
HOLLOW = """\
0.00.004.908 E llama_model_load: error loading model: llama_model_loader: failed to load model from /m.gguf
0.00.004.918 E llama_model_load_from_file_impl: failed to load model
"""
FIT = (
    "0.00.004.951 E common_fit_params: encountered an error while trying to fit params to free device memory:"
    " failed to load model\n"
)
END = """\
0.00.004.970 E cmn  common_init_: failed to load model '/m.gguf'
0.00.004.973 E srv    load_model: failed to load model, '/m.gguf'
0.00.004.975 I srv    operator(): operator(): cleaning up before exit...
0.00.005.409 E srv  llama_server: exiting due to model loading error
"""


def twice(cause: str) -> str:
    """Fitting to memory loads the model a first time, and fails for the same reason."""
    return BANNER + cause + HOLLOW + FIT + cause + HOLLOW + END


SERVED = """\
0.00.023.406 I srv  llama_server: model loaded
0.00.023.450 I srv  llama_server: listening on unix:///run/a.sock
"""
USAGE = """\

usage:
--check-tensors                         check model tensor data for invalid values, the load has failed if
                                        there is an error (default: false)

to show complete usage, run with -h
"""

FAILED = {
    "missing file": (
        twice("0.00.004.839 E gguf_init_from_file: failed to open GGUF file '/m.gguf' (No such file or directory)\n"),
        "failed to open GGUF file '/m.gguf' (No such file or directory)",
    ),
    "empty file": (
        twice("0.00.006.395 E gguf_init_from_reader: failed to read magic\n"),
        "failed to read magic (not a GGUF file, or a truncated one)",
    ),
    "not a GGUF": (
        twice("0.00.004.919 E gguf_init_from_reader: invalid magic characters: 'root', expected 'GGUF'\n"),
        "invalid magic characters: 'root', expected 'GGUF' (not a GGUF file, or a truncated one)",
    ),
    "cut in the header": (
        twice(
            "0.00.004.834 E read: string length 22 exceeds remaining file size 18 bytes\n"
            "0.00.004.842 E gguf_init_from_reader: failed to read key-value pairs\n"
        ),
        "failed to read key-value pairs: read: string length 22 exceeds remaining file size 18 bytes"
        " (not a GGUF file, or a truncated one)",
    ),
    "cut in the tensors": (
        twice(
            "0.00.005.911 E llama_model_load: error loading model: tensor 'blk.0.ffn_gate.weight' data is not"
            " within the file bounds, model is corrupted or incomplete\n"
        ),
        "error loading model: tensor 'blk.0.ffn_gate.weight' data is not within the file bounds,"
        " model is corrupted or incomplete",
    ),
    "unknown architecture": (
        twice("0.00.005.108 E llama_model_load: error loading model: unknown model architecture: 'nonesuch'\n"),
        "error loading model: unknown model architecture: 'nonesuch'",
    ),
    "unknown flag": ("error: invalid argument: --nonesuch\n", "error: invalid argument: --nonesuch"),
    "bad value": (
        f'error while handling argument "--ctx-size": stoi\n{USAGE}',
        'error while handling argument "--ctx-size": stoi',
    ),
    "no value": (
        f'error while handling argument "-fa": expected value for argument\n{USAGE}',
        'error while handling argument "-fa": expected value for argument',
    ),
    "cannot bind": (
        BANNER
        + "0.00.003.777 E srv         start: couldn't bind HTTP server socket, hostname: /run/a.sock, port: 8080\n"
        + "0.00.003.786 I srv    operator(): operator(): cleaning up before exit...\n"
        + "0.00.003.864 E srv  llama_server: exiting due to HTTP server error\n",
        "couldn't bind HTTP server socket, hostname: /run/a.sock, port: 8080",
    ),
    "no memory for the context": (
        BANNER
        + "0.12.754.921 W common_fit_params: failed to fit params to free device memory: was unable to fit model\n"
        + "0.15.618.417 E ggml_aligned_malloc: insufficient memory (attempted to allocate 2197265.62 MB)\n"
        + "0.15.618.440 E ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 2304000000000\n"
        + "0.15.618.441 E alloc_tensor_range: failed to allocate CPU buffer of size 2304000000000\n"
        + "0.15.905.743 E llama_init_from_model: failed to initialize the context: failed to allocate buffer for"
        + " kv cache\n"
        + "0.15.905.770 E cmn  common_init_: failed to create context with model '/m.gguf'\n"
        + "0.15.905.786 E srv    load_model: failed to create_context with model '/m.gguf'\n"
        + "0.15.905.790 I srv    operator(): operator(): cleaning up before exit...\n"
        + "0.15.906.281 E srv  llama_server: exiting due to model loading error\n",
        "failed to initialize the context: failed to allocate buffer for kv cache:"
        " insufficient memory (attempted to allocate 2197265.62 MB)",
    ),
    "no memory for the file": (
        BANNER
        + "0.00.185.025 E llama_model_load: error loading model: mmap failed: Cannot allocate memory\n"
        + HOLLOW
        + END,
        "error loading model: mmap failed: Cannot allocate memory",
    ),
    "no memory for threads": (
        BANNER + "\nlibgomp: Thread creation failed: Resource temporarily unavailable\n",
        "libgomp: Thread creation failed: Resource temporarily unavailable",
    ),
    "no libraries": (
        "/opt/llama-server: error while loading shared libraries: libllama.so.0: cannot open shared object file\n",
        "/opt/llama-server: error while loading shared libraries: libllama.so.0: cannot open shared object file",
    ),
    "contradiction of settings": (
        BANNER
        + "0.00.005.799 E llama_init_from_model: quantized V cache requires flash_attn to be enabled\n"
        + FIT
        + "0.00.006.679 E llama_init_from_model: quantized V cache requires flash_attn to be enabled\n"
        + "0.00.006.703 E cmn  common_init_: failed to create context with model '/m.gguf'\n"
        + "0.00.007.373 E srv  llama_server: exiting due to model loading error\n",
        "quantized V cache requires flash_attn to be enabled",
    ),
    "draft model": (
        BANNER
        + "0.00.005.036 E gguf_init_from_reader: failed to read magic\n"
        + HOLLOW
        + "0.00.011.941 E common_speculative_init_result: failed to load draft model, '/d.gguf'\n"
        + "0.00.019.754 E srv  llama_server: exiting due to model loading error\n",
        "failed to load draft model, '/d.gguf': failed to read magic (not a GGUF file, or a truncated one)",
    ),
    "multimodal projector": (
        BANNER
        + "0.00.005.301 E mtmd_get_memory_usage: error: Failed to load CLIP model from /p.gguf\n\n"
        + "0.00.011.730 E srv    load_model: failed to load multimodal model, '/m.gguf'\n",
        "failed to load multimodal model, '/m.gguf': error: Failed to load CLIP model from /p.gguf",
    ),
    "an older build": (
        "gguf_init_from_file_impl: failed to read magic\n"
        "llama_model_load: error loading model: llama_model_loader: failed to load model from /m.gguf\n"
        "llama_model_load_from_file_impl: failed to load model\n"
        "common_init_from_params: failed to load model '/m.gguf'\n"
        "srv    load_model: failed to load model, '/m.gguf'\n"
        "main: exiting due to model loading error\n",
        "failed to read magic (not a GGUF file, or a truncated one)",
    ),
    "after it served": (
        BANNER
        + "0.00.020.000 E srv  some_where: an error of the start that did no harm\n"
        + SERVED
        + "0.09.000.000 E ggml_vulkan: device lost\n",
        "device lost",
    ),
    "no complaint": (BANNER + SERVED + "so long\n", "exit code 1: so long"),
    "lines that were lost": (BANNER.rpartition("AMX")[0], "exit code 1, without saying why"),
    "nothing": ("", "exit code 1, without a word"),
}


@pytest.mark.parametrize(("said", "expected"), FAILED.values(), ids=FAILED)
def test_exit_1(said: str, expected: str) -> None:
    assert reason(said.splitlines(), 1, None) == expected
    assert reason([line for line in said.splitlines() if line], 1, None) == expected


ASSERTION = (
    BANNER
    + "/src/llama-context.cpp:2189: GGML_ASSERT(n_outputs_max <= cparams.n_outputs_max) failed\n"
    + "[New LWP 8760]\n#2  0x00007f43ac34fe72 in ggml_abort () from libggml-base.so.0\n"
)


@pytest.mark.parametrize(
    ("said", "number", "expected"),
    [
        (BANNER, 9, "killed by signal 9 (KILL), perhaps by the kernel for lack of memory"),
        (BANNER, 11, "killed by signal 11 (SEGV): it crashed"),
        (BANNER, 4, "killed by signal 4 (ILL), perhaps built for another processor"),
        (BANNER, 15, "killed by signal 15 (TERM)"),
        (BANNER, 35, "killed by signal 35 (?)"),
        (BANNER, 6, "killed by signal 6 (ABRT): it gave up"),
        (
            ASSERTION,
            6,
            "/src/llama-context.cpp:2189: GGML_ASSERT(n_outputs_max <= cparams.n_outputs_max) failed (signal 6, ABRT)",
        ),
        ("terminate called\n  what():  Resource unavailable\n", 6, "Resource unavailable (signal 6, ABRT)"),
        (
            "1.00.000.000 E CUDA error: out of memory\nx.cu:73: CUDA error\n",
            6,
            "CUDA error: out of memory (signal 6, ABRT)",
        ),
    ],
)
def test_signals(said: str, number: int, expected: str) -> None:
    assert reason(said.splitlines(), None, number) == expected


def test_exit_0() -> None:
    assert reason([], 0, None) == "ended by itself before it served; is it llama-server?"
    end = "0.00.036.140 I srv    operator(): operator(): cleaning up before exit..."
    assert reason([end], 0, None) == "stopped from outside"
    assert reason(SERVED.splitlines(), 0, None) == "stopped from outside", "its last lines may be lost"


@pytest.mark.parametrize(("code", "number"), [(0, None), (1, None), (None, signal.SIGTERM)])
def test_when_it_was_asked_to(code: int | None, number: int | None) -> None:
    """It may leave by the signal itself (before it has a handler), or with 1 after a second one."""
    assert reason(BANNER.splitlines(), code, number, asked=True) == "stopped"
    assert reason([], None, signal.SIGKILL, asked=True) == "stopped by force"


def test_any_lines_give_one_line() -> None:
    for said in (["\x00\x1b[31m"], ["�" * 100], ["error"], ["E"], ["0.00.000.000 E "], [""], ["usage:"]):
        for code in (0, 1, 255):
            assert "\n" not in reason(said, code, None)
            assert reason(said, code, None)
