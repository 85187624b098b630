"""Lines as llama-server writes them. CPU: recorded from build b10434; others: as llama.cpp's sources print them."""

from pathlib import Path
from textwrap import dedent

import pytest

from llamactl.core.footprint import Parts, totals
from llamactl.core.model import HOST
from llamactl.llamaserver.devices import devices_in
from llamactl.llamaserver.memory import MIB, Shortage, breakdown, buffers, device_of, shortage

LOGS = Path(__file__).parent / "logs"


def lines(text: str) -> list[str]:
    return dedent(text).strip().splitlines()


def mib(**parts: float) -> Parts:
    return Parts(**{kind: round(size * MIB) for kind, size in parts.items()})


GEMMA = (LOGS / "cpu.log").read_text().splitlines()

CUDA = (LOGS / "two_gpus.log").read_text().splitlines()


def test_a_cpu_has_it_all() -> None:
    assert buffers(GEMMA) == {HOST: mib(weights=56.07, kv=33.5, compute=31.52, output=0.12)}


def test_the_last_breakdown_counts() -> None:
    assert breakdown(GEMMA) == {HOST: mib(weights=57, kv=34, compute=31)}
    assert breakdown(GEMMA[:-2]) == {HOST: mib(weights=56, kv=33, compute=31)}


def test_two_gpus_and_the_host() -> None:
    assert buffers(CUDA) == {
        HOST: mib(weights=281.81, compute=72.02, output=0.49),
        "CUDA0": mib(weights=2400.10, kv=544, compute=368.01),
        "CUDA1": mib(weights=2037.70, kv=480, compute=264.02),
    }
    assert breakdown(CUDA) == {
        "CUDA0": mib(weights=2400, kv=544, compute=368),
        "CUDA1": mib(weights=2037, kv=480, compute=264),
        HOST: mib(weights=281, compute=72),
    }


def test_the_kinds_are_for_one_device_each() -> None:
    found = buffers(
        lines("""
        load_tensors:      Vulkan0 model buffer size =   100.00 MiB
        load_tensors:  Vulkan_Host model buffer size =    10.00 MiB
        llama_memory_recurrent:    Vulkan0 RS buffer size =     4.21 MiB
        load_tensors:  MTL0_Mapped model buffer size =    50.00 MiB
        load_tensors:      MTL0_Private model buffer size =    5.00 MiB
        load_tensors:  RPC0[127.0.0.1:50052] model buffer size =    7.00 MiB
        llm_load_tensors:      ROCm0 buffer size =    20.00 MiB
        """)
    )
    assert totals(found) == {
        HOST: 10 * MIB,
        "Vulkan0": round(100 * MIB) + round(4.21 * MIB),
        "MTL0": 55 * MIB,
        "RPC0[127.0.0.1:50052]": 7 * MIB,
        "ROCm0": 20 * MIB,
    }
    assert found["Vulkan0"].state == round(4.21 * MIB)


def test_weights_that_are_rearranged_count_once() -> None:
    mapped = "load_tensors:   CPU_Mapped model buffer size =    29.85 MiB"
    repacked = "load_tensors:   CPU_REPACK model buffer size =    18.56 MiB"
    assert buffers([mapped, repacked]) == {HOST: mib(weights=29.85)}
    plain = "load_tensors:          CPU model buffer size =    11.29 MiB"
    assert buffers([plain, repacked]) == {HOST: mib(weights=11.29 + 18.56)}


def test_a_draft_model_has_buffers_of_its_own() -> None:
    again = [
        "llama_context: constructing llama_context",
        "sched_reserve:      CUDA0 compute buffer size =    10.00 MiB",
    ]
    assert buffers(CUDA + again)["CUDA0"].compute == round(368.01 * MIB) + 10 * MIB


def test_a_projector_is_where_it_says() -> None:
    clip = ["clip_ctx: CLIP using CUDA0 backend", "load_hparams: model size:         851.24 MiB"]
    assert buffers(CUDA + clip)["CUDA0"].weights == round((2400.10 + 851.24) * MIB)
    assert buffers(CUDA + clip[1:])[HOST].weights == round((281.81 + 851.24) * MIB)


def test_what_says_nothing_has_no_buffers() -> None:
    assert buffers(["0.00.016.148 I srv  llama_server: model loaded"]) == {}
    assert breakdown([]) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            """
            0.10.260.918 E ggml_aligned_malloc: insufficient memory (attempted to allocate 195312.50 MB)
            0.10.260.938 E ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 204800000000
            0.10.260.938 E alloc_tensor_range: failed to allocate CPU buffer of size 204800000000
            0.10.535.950 E llama_init_from_model: failed to allocate buffer for kv cache
            0.10.535.973 E cmn  common_init_: failed to create context with model '/m.gguf'
            """,
            Shortage(HOST, 204800000000),
        ),
        (
            """
            alloc_buffer: allocating 144817.04 MiB on device 1: cudaMalloc failed: out of memory
            alloc_tensor_range: failed to allocate CUDA1 buffer of size 151851674624
            llama_model_load: error loading model: unable to allocate CUDA1 buffer
            """,
            Shortage("CUDA1", 151851674624),
        ),
        (
            "E cuda_alloc_buffer: allocating 4480.00 MiB on device 3: cudaMalloc failed: out of memory",
            Shortage("CUDA3", 4480 * MIB),
        ),
        (
            """
            ggml_gallocr_reserve_n_impl: failed to allocate CUDA1 buffer of size 54262464512
            graph_reserve: failed to allocate compute buffers
            """,
            Shortage("CUDA1", 54262464512),
        ),
        (
            """
            ggml_vulkan: Device memory allocation of size 369827840 failed.
            ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory
            llama_model_load: error loading model: unable to allocate Vulkan0 buffer
            """,
            Shortage("", 369827840),
        ),
        ("ggml_metal_buffer_init: error: failed to allocate buffer, size =  4096.00 MiB", Shortage("", 4096 * MIB)),
        ("CUDA error: out of memory", Shortage()),
        ("llama_model_load: error loading model: unable to allocate ROCm0 buffer", Shortage("ROCm0")),
        ("terminate called after throwing an instance of 'std::bad_alloc'", Shortage()),
        ("error loading model: mmap failed: Cannot allocate memory", Shortage()),
        ("0.00.003.856 E srv         start: couldn't bind HTTP server socket", None),
        ("W llama_context: n_ctx_seq (65536) > n_ctx_train (4096) -- possible training context overflow", None),
        ("", None),
    ],
)
def test_shortages(text: str, expected: Shortage | None) -> None:
    assert shortage(lines(text)) == expected


@pytest.mark.parametrize(
    ("buffer", "device"),
    [
        *((name, HOST) for name in ("CPU", "CPU_Mapped", "CPU_REPACK", "AMX", "CUDA_Host", "Vulkan_Host", "Host")),
        *(("CUDA0", "CUDA0"), ("MTL0_Mapped", "MTL0"), ("Metal_Private", "Metal"), ("CUDA1_Split", "CUDA1")),
    ],
)
def test_devices_of_buffers(buffer: str, device: str) -> None:
    assert device_of(buffer) == device


def test_listed_devices() -> None:
    found = devices_in(
        "ggml_cuda_init: found 1 CUDA devices:\n"
        "Available devices:\n"
        "  CUDA0: NVIDIA GeForce RTX 4090 (24080 MiB, 23650 MiB free)\n"
        "  Vulkan1: Intel(R) Arc(tm) A770 (DG2) (16288 MiB, 16000 MiB free)\n"
        "  RPC0[10.0.0.2:50052]: 10.0.0.2:50052 (64000 MiB, 60000 MiB free)\n"
    )
    assert [(device.name, device.description, device.total >> 20, device.free >> 20) for device in found] == [
        ("CUDA0", "NVIDIA GeForce RTX 4090", 24080, 23650),
        ("Vulkan1", "Intel(R) Arc(tm) A770 (DG2)", 16288, 16000),
        ("RPC0[10.0.0.2:50052]", "10.0.0.2:50052", 64000, 60000),
    ]
    assert devices_in("Available devices:\n") == []
