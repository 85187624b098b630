"""AMD's GPUs, in trees like the kernel's."""

from pathlib import Path

from llamactl.core.sample import Gpu
from llamactl.metrics.amd import Amd


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def card(root: Path, number: int, address: str, vendor: str = "0x1002", **files: str) -> None:
    """As in sysfs: the device is elsewhere, the card points to it."""
    device = root / "sys/devices/pci0000:00" / address
    write(device, vendor=vendor, **files)
    place = root / f"sys/class/drm/card{number}"
    place.mkdir(parents=True)
    (place / "device").symlink_to(device)
    (root / f"sys/class/drm/card{number}-DP-1").mkdir()


FULL = {
    "product_name": "AMD Radeon RX 7900 XTX",
    "gpu_busy_percent": "37",
    "mem_info_vram_total": str(24 << 30),
    "mem_info_vram_used": str(2 << 30),
    "hwmon__hwmon3__temp1_input": "54000",
    "hwmon__hwmon3__power1_average": "65000000",
    "hwmon__hwmon3__power1_cap": "327000000",
    "hwmon__hwmon3__freq1_input": "2304000000",
    "hwmon__hwmon3__freq2_input": "1249000000",
}


def test_one_that_tells_all_and_one_that_tells_little(tmp_path: Path) -> None:
    card(tmp_path, 1, "0000:03:00.0", **FULL)
    card(tmp_path, 0, "0000:0c:00.0", hwmon__hwmon1__power1_input="9500000", gpu_busy_percent="")
    card(tmp_path, 2, "0000:01:00.0", vendor="0x10de")
    assert Amd(tmp_path).measure([]) == [
        Gpu(
            id="0000:03:00.0",
            name="AMD Radeon RX 7900 XTX",
            vendor="amd",
            usage=37,
            memory_total=24 << 30,
            memory_used=2 << 30,
            temperature=54,
            power=65,
            power_limit=327,
            clock=2304,
            memory_clock=1249,
            processes={},
        ),
        Gpu(id="0000:0c:00.0", name="AMD Radeon", vendor="amd", power=9.5, processes={}),
    ]


def test_what_processes_have_of_it(tmp_path: Path) -> None:
    card(tmp_path, 0, "0000:03:00.0", **FULL)
    told = "pos:\t0\ndrm-driver:\tamdgpu\ndrm-pdev:\t0000:03:00.0\ndrm-client-id:\t{}\ndrm-memory-vram:\t{} KiB"
    write(tmp_path / "proc/7/fdinfo", **{"4": told.format(1, 2048), "5": told.format(1, 2048)})  # one client, twice
    write(tmp_path / "proc/7/fdinfo", **{"6": told.format(2, 1024), "0": "pos:\t0\nflags:\t02"})
    newer = told.replace("drm-memory-vram", "drm-resident-vram").format(3, 512)
    write(tmp_path / "proc/8/fdinfo", **{"4": newer})
    [gpu] = Amd(tmp_path).measure([7, 8, 9])
    assert gpu.processes == {7: 3 << 20, 8: 512 << 10}


def test_no_gpu(tmp_path: Path) -> None:
    assert Amd(tmp_path).measure([1]) == []
