"""Why it ended: lines that real ones wrote, shortened where they repeat themselves."""

import signal
from typing import get_args

import pytest

from llamactl.core.exits import MEANING, Kind
from llamactl.llamaserver.output import Death, kind, reason

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
        "missing_file",
        twice("0.00.004.839 E gguf_init_from_file: failed to open GGUF file '/m.gguf' (No such file or directory)\n"),
        "failed to open GGUF file '/m.gguf' (No such file or directory)",
    ),
    "empty file": (
        "corrupt_file",
        twice("0.00.006.395 E gguf_init_from_reader: failed to read magic\n"),
        "failed to read magic (not a GGUF file, or a truncated one)",
    ),
    "not a GGUF": (
        "corrupt_file",
        twice("0.00.004.919 E gguf_init_from_reader: invalid magic characters: 'root', expected 'GGUF'\n"),
        "invalid magic characters: 'root', expected 'GGUF' (not a GGUF file, or a truncated one)",
    ),
    "cut in the header": (
        "corrupt_file",
        twice(
            "0.00.004.834 E read: string length 22 exceeds remaining file size 18 bytes\n"
            "0.00.004.842 E gguf_init_from_reader: failed to read key-value pairs\n"
        ),
        "failed to read key-value pairs: read: string length 22 exceeds remaining file size 18 bytes"
        " (not a GGUF file, or a truncated one)",
    ),
    "cut in the tensors": (
        "corrupt_file",
        twice(
            "0.00.005.911 E llama_model_load: error loading model: tensor 'blk.0.ffn_gate.weight' data is not"
            " within the file bounds, model is corrupted or incomplete\n"
        ),
        "error loading model: tensor 'blk.0.ffn_gate.weight' data is not within the file bounds,"
        " model is corrupted or incomplete",
    ),
    "unknown architecture": (
        "unsupported",
        twice("0.00.005.108 E llama_model_load: error loading model: unknown model architecture: 'nonesuch'\n"),
        "error loading model: unknown model architecture: 'nonesuch'",
    ),
    "unknown flag": ("bad_argument", "error: invalid argument: --nonesuch\n", "error: invalid argument: --nonesuch"),
    "bad value": (
        "bad_argument",
        f'error while handling argument "--ctx-size": stoi\n{USAGE}',
        'error while handling argument "--ctx-size": stoi',
    ),
    "no value": (
        "bad_argument",
        f'error while handling argument "-fa": expected value for argument\n{USAGE}',
        'error while handling argument "-fa": expected value for argument',
    ),
    "cannot bind": (
        "cannot_bind",
        BANNER
        + "0.00.003.777 E srv         start: couldn't bind HTTP server socket, hostname: /run/a.sock, port: 8080\n"
        + "0.00.003.786 I srv    operator(): operator(): cleaning up before exit...\n"
        + "0.00.003.864 E srv  llama_server: exiting due to HTTP server error\n",
        "couldn't bind HTTP server socket, hostname: /run/a.sock, port: 8080",
    ),
    "no memory for the context": (
        "out_of_memory",
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
        "out_of_memory",
        BANNER
        + "0.00.185.025 E llama_model_load: error loading model: mmap failed: Cannot allocate memory\n"
        + HOLLOW
        + END,
        "error loading model: mmap failed: Cannot allocate memory",
    ),
    "no memory for threads": (
        "refused",
        BANNER + "\nlibgomp: Thread creation failed: Resource temporarily unavailable\n",
        "libgomp: Thread creation failed: Resource temporarily unavailable",
    ),
    "no libraries": (
        "library_missing",
        "/opt/llama-server: error while loading shared libraries: libllama.so.0: cannot open shared object file\n",
        "/opt/llama-server: error while loading shared libraries: libllama.so.0: cannot open shared object file",
    ),
    "contradiction of settings": (
        "bad_argument",
        BANNER
        + "0.00.005.799 E llama_init_from_model: quantized V cache requires flash_attn to be enabled\n"
        + FIT
        + "0.00.006.679 E llama_init_from_model: quantized V cache requires flash_attn to be enabled\n"
        + "0.00.006.703 E cmn  common_init_: failed to create context with model '/m.gguf'\n"
        + "0.00.007.373 E srv  llama_server: exiting due to model loading error\n",
        "quantized V cache requires flash_attn to be enabled",
    ),
    "draft model": (
        "corrupt_file",
        BANNER
        + "0.00.005.036 E gguf_init_from_reader: failed to read magic\n"
        + HOLLOW
        + "0.00.011.941 E common_speculative_init_result: failed to load draft model, '/d.gguf'\n"
        + "0.00.019.754 E srv  llama_server: exiting due to model loading error\n",
        "failed to load draft model, '/d.gguf': failed to read magic (not a GGUF file, or a truncated one)",
    ),
    "multimodal projector": (
        "refused",
        BANNER
        + "0.00.005.301 E mtmd_get_memory_usage: error: Failed to load CLIP model from /p.gguf\n\n"
        + "0.00.011.730 E srv    load_model: failed to load multimodal model, '/m.gguf'\n",
        "failed to load multimodal model, '/m.gguf': error: Failed to load CLIP model from /p.gguf",
    ),
    "an older build": (
        "corrupt_file",
        "gguf_init_from_file_impl: failed to read magic\n"
        "llama_model_load: error loading model: llama_model_loader: failed to load model from /m.gguf\n"
        "llama_model_load_from_file_impl: failed to load model\n"
        "common_init_from_params: failed to load model '/m.gguf'\n"
        "srv    load_model: failed to load model, '/m.gguf'\n"
        "main: exiting due to model loading error\n",
        "failed to read magic (not a GGUF file, or a truncated one)",
    ),
    "after it served": (
        "refused",
        BANNER
        + "0.00.020.000 E srv  some_where: an error of the start that did no harm\n"
        + SERVED
        + "0.09.000.000 E ggml_vulkan: device lost\n",
        "device lost",
    ),
    "no complaint": ("other", BANNER + SERVED + "so long\n", "exit code 1: so long"),
    "lines that were lost": ("other", BANNER.rpartition("AMX")[0], "exit code 1, without saying why"),
    "nothing": ("other", "", "exit code 1, without a word"),
}


@pytest.mark.parametrize(("class_", "said", "expected"), FAILED.values(), ids=FAILED)
def test_exit_1(class_: Kind, said: str, expected: str) -> None:
    for lines in (said.splitlines(), [line for line in said.splitlines() if line]):
        death = Death(lines=lines, code=1)
        assert (reason(death), kind(death)) == (expected, class_)


ASSERTION = (
    BANNER
    + "/src/llama-context.cpp:2189: GGML_ASSERT(n_outputs_max <= cparams.n_outputs_max) failed\n"
    + "[New LWP 8760]\n#2  0x00007f43ac34fe72 in ggml_abort () from libggml-base.so.0\n"
)


LOST_WHILE_LOADING = """\
0.00.499.319 E recv failed (bytes_recv=0, size_to_recv=8)
/src/ggml/src/ggml-rpc/ggml-rpc.cpp:337: Remote RPC server crashed or returned malformed response
"""
LOST_WHILE_SERVING = (
    "/src/ggml/src/ggml-rpc/ggml-rpc.cpp:488: Remote RPC server crashed or returned malformed response\n"
    "0.00.407.182 E send failed (bytes_sent=0, size_to_send=8)\n"
    "[New LWP 28073]\n30\t../sysdeps/unix/sysv/linux/wait4.c: No such file or directory.\n"
    "#2  0x00007f3e05f4fdf2 in ggml_abort () from libggml-base.so.0\n"
)

# From the sources of ggml's backends, as they print it before they give up.
CUDA_LOAD = """\
0.01.947.119 E ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9216.00 MiB on device 0: cudaMalloc failed: out of memory
0.01.947.130 E alloc_tensor_range: failed to allocate CUDA0 buffer of size 9663676416
0.02.100.000 E llama_model_load: error loading model: unable to allocate CUDA0 buffer
0.02.100.010 E llama_model_load_from_file_impl: failed to load model
0.02.100.020 E cmn  common_init_: failed to load model '/m.gguf'
0.02.100.030 E srv  llama_server: exiting due to model loading error
"""  # noqa: E501
VULKAN_LOAD = """\
ggml_vulkan: Device memory allocation of size 1037832192 failed.
ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory
0.02.468.179 E alloc_tensor_range: failed to allocate Vulkan0 buffer of size 1037832192
0.02.672.374 E llama_model_load: error loading model: unable to allocate Vulkan0 buffer
0.02.672.380 E cmn  common_init_: failed to load model '/m.gguf'
0.02.672.390 E srv  llama_server: exiting due to model loading error
"""
CUDA_SERVING = """\
1.00.000.000 E CUDA error: out of memory
1.00.000.010 E   current device: 0, in function alloc at /src/ggml/src/ggml-cuda/ggml-cuda.cu:480
1.00.000.020 E   cuMemCreate(&handle, reserve_size, &prop, 0)
/src/ggml/src/ggml-cuda/ggml-cuda.cu:97: CUDA error
"""
CUDA_BUG = CUDA_SERVING.replace("out of memory", "an illegal memory access was encountered")
VULKAN_LOST = "terminate called\n  what():  vk::Queue::submit: ErrorDeviceLost\n"
VULKAN_SERVING = (
    "ggml_vulkan: Device memory allocation of size 268435456 failed.\nggml_vulkan: vk::Device::allocateMemory: "
    "ErrorOutOfDeviceMemory\nterminate called\n  what():  vk::Device::allocateMemory: ErrorOutOfDeviceMemory\n"
)
NO_HOST_MEMORY = """\
0.00.006.944 E ggml_aligned_malloc: insufficient memory (attempted to allocate  19.73 MB)
/src/ggml/src/ggml.c:1643: GGML_ASSERT(ctx->mem_buffer != NULL) failed
[New LWP 17416]
ptrace: Operation not permitted.
utils.c:717: internal-error: virtual memory exhausted: can't allocate 4064 bytes.
"""
CRASHED_AFTER_COMPLAINT = BANNER + (
    "0.00.007.101 E llama_init_from_model: V cache quantization requires flash_attn\n"
    + "0.00.008.346 E cmn  common_init_: failed to create context with model '/m.gguf'\n"
)


@pytest.mark.parametrize(
    ("class_", "said", "number"),
    [
        ("out_of_memory", CUDA_LOAD, None),
        ("out_of_memory", VULKAN_LOAD, None),
        ("out_of_memory", CUDA_SERVING, 6),
        ("out_of_memory", CUDA_SERVING.replace("CUDA", "ROCm"), 6),
        ("out_of_memory", VULKAN_SERVING, 6),
        ("out_of_memory", NO_HOST_MEMORY, 6),
        ("assertion", CUDA_BUG, 6),
        ("assertion", VULKAN_LOST, 6),
        ("worker_lost", LOST_WHILE_SERVING, 6),
        ("bad_argument", CRASHED_AFTER_COMPLAINT, 11),
    ],
)
@pytest.mark.parametrize("served", [False, True])
def test_devices(class_: Kind, said: str, number: int | None, served: bool) -> None:
    death = Death(lines=said.splitlines(), code=None if number else 1, signal=number, served=served)
    if served and class_ == "bad_argument":
        assert kind(death) == "signal", "what was complained of while it served was not its settings"
    else:
        assert kind(death) == class_


def test_a_crash_after_a_complaint_is_told_with_it() -> None:
    told = reason(Death(lines=CRASHED_AFTER_COMPLAINT.splitlines(), signal=11))
    assert "V cache quantization requires flash_attn" in told
    assert told.endswith("(signal 11, SEGV)")


@pytest.mark.parametrize(
    ("class_", "said", "number", "expected"),
    [
        ("signal", BANNER, 9, "killed by signal 9 (KILL), perhaps by the kernel for lack of memory"),
        ("signal", BANNER, 11, "killed by signal 11 (SEGV): it crashed"),
        ("illegal_instruction", BANNER, 4, "killed by signal 4 (ILL), perhaps built for another processor"),
        ("signal", BANNER, 15, "killed by signal 15 (TERM)"),
        ("signal", BANNER, 35, "killed by signal 35 (?)"),
        ("signal", BANNER, 6, "killed by signal 6 (ABRT): it gave up"),
        (
            "worker_lost",
            BANNER + LOST_WHILE_LOADING,
            6,
            "/src/ggml/src/ggml-rpc/ggml-rpc.cpp:337: Remote RPC server crashed or returned malformed response"
            " (signal 6, ABRT)",
        ),
        (
            "assertion",
            ASSERTION,
            6,
            "/src/llama-context.cpp:2189: GGML_ASSERT(n_outputs_max <= cparams.n_outputs_max) failed (signal 6, ABRT)",
        ),
        (
            "assertion",
            "terminate called\n  what():  Resource unavailable\n",
            6,
            "Resource unavailable (signal 6, ABRT)",
        ),
        (
            "out_of_memory",
            "1.00.000.000 E CUDA error: out of memory\nx.cu:73: CUDA error\n",
            6,
            "CUDA error: out of memory (signal 6, ABRT)",
        ),
    ],
)
def test_signals(class_: Kind, said: str, number: int, expected: str) -> None:
    death = Death(lines=said.splitlines(), signal=number)
    assert (reason(death), kind(death)) == (expected, class_)


@pytest.mark.parametrize(
    ("oom", "class_", "says"),
    [(True, "oom_kill", "it killed for lack of memory meanwhile"), (False, "signal", "it seems by somebody else")],
)
def test_killed_while_the_kernel_counts(oom: bool, class_: Kind, says: str) -> None:
    death = Death(lines=CUDA_LOAD.splitlines(), signal=9, oom=oom)
    assert kind(death) == class_
    assert says in reason(death)


def test_exit_0() -> None:
    silent = Death(lines=[], code=0)
    assert (reason(silent), kind(silent)) == ("ended by itself before it served; is it llama-server?", "refused")
    end = Death(lines=["0.00.036.140 I srv    operator(): operator(): cleaning up before exit..."], code=0)
    assert (reason(end), kind(end)) == ("stopped from outside", "ended")
    assert reason(Death(lines=SERVED.splitlines(), code=0)) == "stopped from outside", "its last lines may be lost"


@pytest.mark.parametrize(("code", "number"), [(0, None), (1, None), (None, signal.SIGTERM)])
def test_when_it_was_asked_to(code: int | None, number: int | None) -> None:
    """It may leave by the signal itself (before it has a handler), or with 1 after a second one."""
    death = Death(lines=BANNER.splitlines(), code=code, signal=number, asked=True)
    assert (reason(death), kind(death)) == ("stopped", "asked")
    assert reason(Death(lines=[], signal=signal.SIGKILL, asked=True)) == "stopped by force"


def test_any_lines_give_one_line() -> None:
    for said in (["\x00\x1b[31m"], ["�" * 100], ["error"], ["E"], ["0.00.000.000 E "], [""], ["usage:"]):
        for code in (0, 1, 255):
            death = Death(lines=said, code=code)
            assert "\n" not in reason(death)
            assert reason(death)
            assert kind(death) in get_args(Kind)


def test_what_a_debugger_says_afterwards_is_not_the_cause() -> None:
    said = ASSERTION + "gdb: error: cannot allocate memory\n"
    assert kind(Death(lines=said.splitlines(), signal=6)) == "assertion"


def test_every_kind_has_a_meaning() -> None:
    assert set(MEANING) == set(get_args(Kind))
