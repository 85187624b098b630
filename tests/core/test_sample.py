"""What is made of a measurement. What is not known is None and not 0."""

from llamactl.core.sample import Disk, Gpu, Host, Sample, Served, Summary, beside, summary

HOST = Host(
    cpu=12.5,
    load=(0.5, 1.0, 2.0),
    memory_total=1000,
    memory_available=250,
    swap_total=0,
    swap_used=0,
    disks=(Disk(path="/", total=110, used=50, free=50), Disk(path="/m", total=100, used=90, free=10)),
    received=7.0,
)
CUDA = Gpu(
    id="GPU-1",
    name="RTX",
    vendor="nvidia",
    device="CUDA0",
    usage=80,
    memory_total=8 << 30,
    memory_used=2 << 30,
    temperature=70,
    power=99,
)
OTHER = Gpu(id="GPU-2", name="RTX", vendor="nvidia", usage=20, memory_total=4 << 30, temperature=80)


def test_without_gpu_nothing_is_said_of_gpus() -> None:
    assert summary(Sample(at=5, host=HOST, uptime=9)) == Summary(
        timestamp=5, cpu_usage=12.5, memory_usage=75, disk_usage=50, active_models=0, uptime=9
    )


def test_of_several_gpus() -> None:
    found = summary(Sample(at=5, host=HOST, gpus=(CUDA, OTHER)))
    assert (found.gpu_usage, found.gpu_temperature, found.gpu_power_usage) == (50, 80, 99)
    assert (found.gpu_memory_used, found.gpu_memory_total) == (2048, 12288)


def test_one_that_fails_at_everything_is_not_at_rest() -> None:
    found = summary(Sample(at=5, host=HOST, gpus=(Gpu(id="GPU-3", name="RTX", vendor="nvidia"),)))
    assert found.gpu_usage is None and found.gpu_memory_total is None and found.gpu_temperature is None
    assert ("gpu", "GPU-3") not in beside(Sample(at=5, host=HOST, gpus=(Gpu(id="GPU-3", name="RTX", vendor="nvidia"),)))


def test_what_is_kept_beside() -> None:
    served = Served(model="qwen", pid=7, cpu=150.0, gpu_memory={"CUDA0": 5, "CUDA1": 6}, processing=0, live=3.5)
    found = beside(Sample(at=5, host=HOST, gpus=(CUDA, OTHER), models=(served, Served(model="b", pid=8, live=1.5))))
    assert found == {
        ("host", ""): {
            "load": 0.5,
            "memory_used": 750,
            "models_disk_usage": 90,
            "received": 7.0,
            "tokens_per_second": 5.0,
        },
        ("gpu", "CUDA0"): {
            "usage": 80,
            "memory_total": 8 << 30,
            "memory_used": 2 << 30,
            "temperature": 70,
            "power": 99,
        },
        ("gpu", "GPU-2"): {"usage": 20, "memory_total": 4 << 30, "temperature": 80},
        ("model", "qwen"): {"cpu": 150.0, "processing": 0, "live": 3.5, "vram": 11},
        ("model", "b"): {"live": 1.5},
    }
