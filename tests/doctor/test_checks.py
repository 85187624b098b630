"""Each breaks one thing, and that is what is found, and nothing else."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llamactl.cli.session import session
from llamactl.config.sockets import control_sockets
from llamactl.core.errors import LoadFailed, NotFound, StoreFailed
from llamactl.core.surroundings import Node, Surroundings
from llamactl.daemon.process import PidFile
from llamactl.doctor import gpus
from llamactl.doctor.case import take
from llamactl.doctor.examine import examine
from llamactl.llamaserver.identity import MARK
from llamactl.metrics.surroundings import look
from llamactl.rpc.calls import Check, EngineRow, InstanceRow, ServiceRow, Verification
from tests.cli.stub import Stub
from tests.doctor.conftest import Engine, Found, Llamactl
from tests.metrics.nvml import Pretence
from tests.metrics.test_amd import FULL, card


def test_nothing_is_wrong(found: Found) -> None:
    assert found() == []


def test_nothing_is_wrong_with_a_daemon(daemon: Stub, found: Found) -> None:
    assert found() == []


def only(found: Found, code: str, *says: str) -> None:
    findings = found()
    assert {one.code for one in findings} == {code}, findings
    for one in findings:
        assert one.message and one.cause and one.fix
    said = str(findings)
    for text in says:
        assert text in said


def as_unit(daemon: Stub, user_unit: bool = False) -> None:
    """systemd runs it."""
    status: Any = daemon.answers["daemon.status"]
    named = {"unit": "llamactl.service", "user_unit": user_unit}
    daemon.answers["daemon.status"] = msgspec.structs.replace(status, **named)


# --- the daemon ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"version": "0.0.other"}, "version-differs", "llamactl daemon reexec"),
        ({"restart_for": ("http.port",)}, "restart-pending", "http.port"),
        ({"services": [ServiceRow(name="door", state="down", age=1, reason="no ink")]}, "service-down", "no ink"),
    ],
)
def test_what_it_says_of_itself(daemon: Stub, found: Found, changes: dict[str, Any], code: str, says: str) -> None:
    status: Any = daemon.answers["daemon.status"]
    daemon.answers["daemon.status"] = msgspec.structs.replace(status, **changes)
    only(found, code, says)


def test_a_model_that_was_given_up(daemon: Stub, found: Found) -> None:
    row = InstanceRow(name="phi", state="failed", problem=LoadFailed("it is corrupt").problem())
    daemon.answers["instances.list"] = lambda all: [row]
    only(found, "model-failed", "it is corrupt", "llamactl why phi")


def test_one_that_does_not_answer(daemon: Stub, found: Found) -> None:
    leave = threading.Event()
    daemon.answers["daemon.status"] = lambda: leave.wait(10)
    try:
        assert "daemon-silent" in {one.code for one in found(limit=0.4)}
    finally:
        leave.set()


def test_one_that_was_named_must_be_there(llamactl: Llamactl, found: Found, home: Path) -> None:
    said = llamactl("doctor", "-H", f"unix://{home}/none.sock", "-o", "name", "--timeout", "20s")
    assert (said.code, said.out) == (1, "daemon-unreachable\n")


def test_one_of_another_version_that_cannot_tell_all(daemon: Stub, found: Found) -> None:
    daemon.answers["daemon.surroundings"] = NotFound("no such method")
    assert found() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_one_of_somebody_else(daemon: Stub, found: Found, home: Path) -> None:
    home.chmod(0o711)
    found()  # all is imported: others may not even read it
    os.seteuid(65534)
    try:
        said = {one.code: one.cause for one in found()}
    finally:
        os.seteuid(0)
    assert "Permission denied" in said["daemon-forbidden"]


def test_a_daemon_with_few_files(daemon: Stub, found: Found, root: Path) -> None:
    daemon.answers["daemon.surroundings"] = msgspec.structs.replace(look([], root), files=256)
    as_unit(daemon, user_unit=True)
    lingers(root)
    only(found, "files-low", "256", "systemctl --user edit llamactl.service")


# --- what lies in the runtime directory ----------------------------------------------------------


def runtime(home: Path) -> Path:
    directory = home / "runtime_dir" / "llamactl"
    for path in (directory.parent, directory, directory / "sockets"):
        path.mkdir(0o700, exist_ok=True)
    return directory


def test_a_directory_that_others_may_enter(found: Found, llamactl: Llamactl, home: Path) -> None:
    (directory := runtime(home)).chmod(0o755)
    only(found, "mode-open", "0755", f"chmod 700 {directory}")


def test_a_socket_that_others_may_use(daemon: Stub, found: Found) -> None:
    daemon.path.chmod(0o666)
    only(found, "mode-open", f"chmod 600 {daemon.path}")


def test_what_belongs_to_somebody_else(daemon: Stub, found: Found, root: Path) -> None:
    theirs = msgspec.structs.replace(look([], root), uid=os.geteuid() + 1, user="somebody")
    daemon.answers["daemon.surroundings"] = theirs
    only(found, "owner-differs", "somebody")


def test_something_else_in_the_place_of_a_socket(found: Found, home: Path) -> None:
    (runtime(home) / "control.sock").write_text("")
    only(found, "not-a-socket", "rm ")


def test_a_stale_socket(found: Found, home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(runtime(home) / "control.sock"))
    (home / "runtime_dir" / "llamactl" / "control.sock").chmod(0o600)
    only(found, "socket-stale")


def test_a_stale_pid_file(found: Found, home: Path) -> None:
    (runtime(home) / "llamactl.pid").write_text("4711 1.0\n")
    only(found, "pid-file-stale")


def test_a_daemon_that_only_starts(found: Found, home: Path) -> None:
    with PidFile(runtime(home) / "llamactl.pid"):
        only(found, "daemon-busy", f"pid {os.getpid()}")


def test_records_of_nobody(found: Found, home: Path) -> None:
    (runtime(home) / "sockets" / "0a.json").write_text("{}")
    only(found, "records-stale")


@pytest.fixture
def orphan(home: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """What passes for a llama-server whose daemon is gone."""
    mark = {MARK: f"{runtime(home)}/sockets/0b.sock"}
    with subprocess.Popen(["sleep", "60"], env={**os.environ, **mark}, start_new_session=True) as process:
        yield process
        process.kill()


def test_an_orphan(found: Found, orphan: "subprocess.Popen[bytes]") -> None:
    only(found, "orphan-running", f"pid {orphan.pid}")


# --- llama-server and GPUs -----------------------------------------------------------------------


def test_no_llama_server(found: Found, engine: Engine) -> None:
    engine.path.unlink()
    only(found, "engine-unusable", str(engine.path))


def test_models_are_not_to_blame_for_it(found: Found, kept: Any, engine: Engine) -> None:
    kept(settings={"threads": 2})
    engine.path.chmod(0o644)
    only(found, "engine-unusable", "not executable")


def test_none_in_the_eyes_of_the_daemon(daemon: Stub, found: Found) -> None:
    daemon.answers["models.verify"] = lambda name: Verification(
        name=name, sound=False, checks=[Check(check="settings", ok=False, detail="no llama-server")]
    )
    daemon.answers["engine.show"] = EngineRow(problem=NotFound("it was not found", "install one").problem())
    only(found, "engine-unusable", "it was not found", "install one")


def test_one_that_is_none(found: Found, engine: Engine) -> None:
    engine.write(help="I am a teapot\n")
    only(found, "engine-unusable", "no usable llama-server")


def test_one_that_hangs(found: Found, engine: Engine) -> None:
    engine.write(before="exec sleep 60")
    began = time.monotonic()
    assert {one.code for one in found(1.0)} - {"check-unfinished"} == {"engine-silent"}  # others may be slow, too
    assert time.monotonic() - began < 5


def test_a_real_one(found: Found, real_engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMACTL_LLAMA_SERVER_PATH", real_engine)
    assert found() == []


CUDA = "  CUDA0: NVIDIA GeForce RTX 4090 (24080 MiB, 23650 MiB free)\n"


def test_a_gpu_that_is_used(found: Found, engine: Engine, nvml: Pretence) -> None:
    engine.write(devices=CUDA)
    assert found() == []


def test_a_gpu_beside_a_build_for_the_cpu(found: Found, engine: Engine, nvml: Pretence) -> None:
    only(found, "gpu-unused", "RTX 4090", "on the CPU alone")


def test_a_backend_that_finds_no_gpu(found: Found, engine: Engine, nvml: Pretence) -> None:
    for name in ("libggml-base.so", "libggml-cpu.so", "libggml-vulkan.so"):
        (engine.path.parent / name).write_text("")
    only(found, "gpu-unused", "built with Vulkan", "apt-get")


def test_what_is_drawn_by_the_processor_is_no_gpu(found: Found, engine: Engine, nvml: Pretence) -> None:
    engine.write(devices="  Vulkan0: llvmpipe (LLVM 15.0.6, 256 bits) (4096 MiB, 4096 MiB free)\n")
    only(found, "gpu-unused")


def test_a_gpu_of_amd_that_nobody_uses(found: Found, root: Path) -> None:
    card(root, 0, "0000:03:00.0", **FULL)
    pci = root / "sys/bus/pci/devices"
    pci.mkdir(parents=True)
    (pci / "0000:03:00.0").symlink_to(root / "sys/devices/pci0000:00/0000:03:00.0")
    (pci / "0000:03:00.0" / "class").write_text("0x030000\n")
    only(found, "gpu-unused", "RX 7900")


@pytest.mark.parametrize(("vendor", "name"), [("0x10de", "NVIDIA"), ("0x1002", "AMD")])
def test_a_gpu_without_a_driver(found: Found, root: Path, vendor: str, name: str) -> None:
    for address, whose, kind in (("0000:01:00.0", vendor, "0x030000"), ("0000:00:02.0", "0x8086", "0x030000")):
        device = root / "sys/bus/pci/devices" / address
        device.mkdir(parents=True)
        (device / "vendor").write_text(f"{whose}\n")
        (device / "class").write_text(f"{kind}\n")
    only(found, "gpu-driver", name)


def test_a_driver_that_hangs(found: Found, root: Path) -> None:
    (device := root / "sys/class/drm/card0/device").mkdir(parents=True)
    os.mkfifo(device / "vendor")
    findings = found(1.0)
    (device / "vendor").write_text("")  # who reads it goes on
    assert "gpu-driver" in {one.code for one in findings}, findings


@pytest.mark.parametrize(
    ("bus", "told", "silent"),
    [
        (("NVIDIA", "AMD"), ("NVIDIA RTX A6000", "AMD Radeon Pro"), ""),
        (("NVIDIA", "AMD"), ("Tesla T4",), "AMD"),
        (("NVIDIA", "AMD"), ("AMD Radeon Pro",), "NVIDIA"),
    ],
)
def test_gpus_of_two_vendors(bus: tuple[str, ...], told: tuple[str, ...], silent: str) -> None:
    sight = gpus.Sight(here=Surroundings(uid=0, user="a", gpus=told), bus=bus, devices=("Vulkan0",))
    said = list(gpus.decide(sight))
    assert [one.code for one in said] == (["gpu-driver"] if silent else [])
    assert silent in str(said)


def test_a_device_that_is_not_there_for_the_daemon(daemon: Stub, found: Found, root: Path) -> None:
    daemon.answers["daemon.surroundings"] = look([], root)
    as_unit(daemon)
    (root / "dev" / "nvidia0").write_text("")
    only(found, "gpu-hidden", "/dev/nvidia0", "systemctl edit llamactl.service")


def test_a_device_that_the_daemon_may_not_use(daemon: Stub, found: Found, root: Path) -> None:
    (root / "dev" / "kfd").write_text("")
    seen = look([], root)
    assert [node.path for node in seen.nodes] == ["/dev/kfd"]
    theirs = msgspec.structs.replace(seen, nodes=(Node("/dev/kfd", "render", False),), user="llamactl")
    daemon.answers["daemon.surroundings"] = theirs
    only(found, "gpu-hidden", "sudo usermod -aG render llamactl")


def test_a_device_that_nobody_may_use(daemon: Stub, found: Found, root: Path) -> None:
    theirs = msgspec.structs.replace(look([], root), nodes=(Node("/dev/dri/renderD128", "render", False),))
    daemon.answers["daemon.surroundings"] = theirs
    only(found, "gpu-forbidden", "render")


def test_a_gpu_that_is_told_to_you_alone(daemon: Stub, found: Found, nvml: Pretence) -> None:
    only(found, "gpu-hidden", "RTX 4090")


def test_a_gpu_that_llama_server_finds_for_you_alone(daemon: Stub, found: Found, engine: Engine) -> None:
    engine.write(devices=CUDA)
    only(found, "gpu-hidden", "CUDA0", "llamactl daemon restart")


# --- models --------------------------------------------------------------------------------------


def test_models_that_are_sound(found: Found, kept: Any) -> None:
    kept()
    assert found() == []


def test_a_file_that_is_gone(found: Found, kept: Any) -> None:
    Path(kept().path).unlink()
    only(found, "model-missing", "llamactl models rm tiny")


def test_a_file_that_has_grown(found: Found, kept: Any) -> None:
    with Path(kept().path).open("ab") as file:
        file.write(b"more")
    only(found, "model-changed", "bytes, and it was")


def test_another_file_of_the_same_size(found: Found, kept: Any) -> None:
    kept(fingerprint="0" * 32)
    only(found, "model-changed", "llamactl models verify tiny")


def test_a_setting_that_this_build_lacks(found: Found, kept: Any, engine: Engine) -> None:
    kept(settings={"cache_reuse": 256})
    engine.write(help=engine.help.replace("--cache-reuse", "--cache-something"))
    only(found, "settings-refused", "--cache-reuse", "llamactl models unset tiny cache_reuse")


def test_what_the_daemon_verifies(daemon: Stub, found: Found) -> None:
    daemon.answers["models.verify"] = lambda name: Verification(
        name=name, sound=False, checks=[Check(check="mmproj", ok=False, detail="/m/p.gguf: no GGUF")]
    )
    only(found, "companion-unusable", "/m/p.gguf: no GGUF")


def test_memory_that_may_not_be_locked(daemon: Stub, found: Found, root: Path) -> None:
    show: Any = daemon.answers["models.show"]
    row = {"name": "mlock", "group": "model", "value": True, "origin": "model"}
    daemon.answers["models.show"] = lambda name: msgspec.to_builtins(show(name)) | {"settings": [row]}
    seen = look([], root)
    daemon.answers["daemon.surroundings"] = msgspec.structs.replace(seen, memlock=8 << 20, user="llamactl")
    only(found, "memlock-low", "8 MiB", "1 GiB", "limits.d")
    daemon.answers["daemon.surroundings"] = msgspec.structs.replace(seen, memlock=2 << 30)
    assert found() == []


# --- the rest ------------------------------------------------------------------------------------


def test_a_broken_database(found: Found, home: Path) -> None:
    path = home / "data_home" / "llamactl" / "llamactl.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"garbage " * 1000)
    only(found, "database-broken", "llamactl db check")


def test_a_database_that_cannot_be_opened(found: Found, home: Path) -> None:
    (home / "data_home" / "llamactl" / "llamactl.db").mkdir(parents=True)
    only(found, "database-unusable", "cannot be opened")


def test_what_the_daemon_cannot_answer(daemon: Stub, found: Found) -> None:
    daemon.answers["models.list"] = StoreFailed("the database is locked", "llamactl daemon status")
    only(found, "check-failed", "models", "is locked")


@pytest.mark.parametrize(("blocks", "code"), [(100 << 8, "disk-low"), (1, "disk-full")])
def test_a_full_disk(found: Found, monkeypatch: pytest.MonkeyPatch, blocks: int, code: str) -> None:
    left = os.statvfs_result((4096, 4096, 1 << 20, blocks, blocks, 1 << 20, 1 << 20, 1 << 20, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: left)
    only(found, code)


def test_logs_beyond_their_limit(found: Found, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("LLAMACTL_LOGGING_MAX_TOTAL", "100k")
    log = home / "state_home" / "llamactl" / "log"
    log.mkdir(parents=True)
    (log / "daemon.log").write_bytes(b"x" * 200_000)
    only(found, "logs-large", "100 KiB")


def test_a_port_that_is_taken(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        monkeypatch.setenv("LLAMACTL_HTTP_PORT", str(listener.getsockname()[1]))
        only(found, "port-taken", f"pid {os.getpid()}")


def test_a_socket_that_is_taken(found: Found, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("LLAMACTL_HTTP_LISTEN", f'["unix://{home}/front.sock"]')
    assert found() == []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{home}/front.sock")
        listener.listen()
        only(found, "port-taken", "front.sock")


def test_an_address_of_another_machine(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMACTL_HTTP_HOST", "192.0.2.1")
    only(found, "address-unusable", "192.0.2.1")


def test_a_key_that_is_not_known(found: Found, home: Path) -> None:
    (home / "config_home" / "llamactl").mkdir(parents=True)
    (home / "config_home" / "llamactl" / "config.toml").write_text("[residency]\ntll = 5\n")
    only(found, "configuration-invalid", "line 2", "residency.ttl")


def test_a_key_in_the_file_that_the_daemon_reads(daemon: Stub, found: Found, home: Path) -> None:
    (home / "none.toml").write_text("[nonsense]\n")
    only(found, "configuration-invalid", "none.toml, line 1")


def test_a_user_unit_that_ends_with_the_login(found: Found, home: Path, root: Path) -> None:
    unit = home / "config_home" / "systemd" / "user" / "llamactl.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\n")
    only(found, "linger-off", "loginctl enable-linger")
    lingers(root)
    assert found() == []


def lingers(root: Path) -> None:
    linger = root / "var/lib/systemd/linger"
    linger.mkdir(parents=True)
    (linger / look([], root).user).write_text("")


def test_a_check_that_hangs_keeps_nobody(engine: Engine, root: Path, home: Path) -> None:
    leave = threading.Event()

    def hangs(case: object) -> Iterator[Any]:
        leave.wait(10)
        yield from ()

    case = take(session.client, control_sockets(), until=time.monotonic() + 0.1, root=root)
    [finding] = examine(case, {"the moon": hangs})
    leave.set()
    assert finding.code == "check-unfinished" and "the moon" in finding.message


def test_a_daemon_that_hangs_takes_no_time_from_the_end(daemon: Stub, engine: Engine, root: Path, home: Path) -> None:
    """What is found out first, and all that follows, end together."""
    leave = threading.Event()
    daemon.answers["daemon.status"] = lambda: leave.wait(10)

    def hangs(case: object) -> Iterator[Any]:
        leave.wait(10)
        yield from ()

    until = time.monotonic() + 1.2
    try:
        [finding] = examine(take(session.client, control_sockets(), until=until, root=root), {"the moon": hangs})
        assert time.monotonic() < until + 0.3  # a third more, and it is too late
    finally:
        leave.set()
    assert finding.code == "check-unfinished"


def test_what_a_process_lacks() -> None:
    twins = Surroundings(uid=0, user="a", gpus=("RTX", "RTX"))
    assert [what for what, _ in Surroundings(uid=0, user="b", gpus=("RTX",)).lacks(twins)] == ["RTX"]
    assert list(twins.lacks(twins)) == []
