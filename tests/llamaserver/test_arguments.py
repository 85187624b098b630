from pathlib import Path

import pytest

from llamactl.core.errors import BadRequest, Refused
from llamactl.core.model import Model, Setting
from llamactl.llamaserver.arguments import command
from llamactl.llamaserver.capabilities import Capabilities, flags_in
from tests.engines.fake.main import HELP

ABLE = Capabilities("9999 (fake)", 9999, flags_in(HELP.read_text()))
ALWAYS = ["/bin/llama-server", "--model", "/m.gguf", "--alias", "qwen", "--host", "/run/a.sock", "--metrics"]


def line(settings: dict[str, Setting], defaults: dict[str, Setting] | None = None, lacks: str = "") -> list[str]:
    able = Capabilities(ABLE.version, ABLE.build, ABLE.flags - {lacks})
    model = Model(name="qwen", path="/m.gguf", size=1, settings=settings)
    return command("/bin/llama-server", model, "/run/a.sock", defaults or {}, able)


def test_what_is_unset_is_not_passed() -> None:
    assert line({}) == ALWAYS


def test_metrics_only_where_the_build_has_them() -> None:
    assert line({}, lacks="--metrics") == ALWAYS[:-1]


@pytest.mark.parametrize(
    ("setting", "value", "passed"),
    [
        ("ctx_size", 0, ["--ctx-size", "0"]),
        ("batch_size", 512, ["--batch-size", "512"]),
        ("ubatch_size", 128, ["--ubatch-size", "128"]),
        ("threads", -1, ["--threads", "-1"]),
        ("gpu_layers", "all", ["--gpu-layers", "all"]),
        ("parallel", 2, ["--parallel", "2"]),
        ("cache_type_k", "q8_0", ["--cache-type-k", "q8_0"]),
        ("cache_type_v", "q8_0", ["--cache-type-v", "q8_0"]),
        ("flash_attn", "auto", ["--flash-attn", "auto"]),
        ("flash_attn", True, ["--flash-attn", "on"]),
        ("flash_attn", False, ["--flash-attn", "off"]),
        ("jinja", True, ["--jinja"]),
        ("jinja", False, ["--no-jinja"]),
        ("skip_chat_parsing", True, ["--skip-chat-parsing"]),
    ],
)
def test_each_setting(setting: str, value: Setting, passed: list[str]) -> None:
    assert line({setting: value}) == ALWAYS + passed


def test_the_models_own_settings_win() -> None:
    got = line({"ctx_size": 8192}, {"ctx_size": 4096, "threads": 4})
    assert got == [*ALWAYS, "--ctx-size", "8192", "--threads", "4"]


def test_a_switch_that_is_off_where_the_build_cannot_switch_it_on() -> None:
    assert line({"jinja": False}, lacks="--no-jinja") == ALWAYS


def test_an_unknown_setting() -> None:
    with pytest.raises(BadRequest, match="no setting 'ctx_sise'") as caught:
        line({"ctx_sise": 1})
    assert "ctx_size" in caught.value.hint


def test_a_switch_is_not_a_text() -> None:
    with pytest.raises(BadRequest, match="jinja is a switch, it cannot be 'yes'"):
        line({"jinja": "yes"})


@pytest.mark.parametrize("settings", [{"jinja": True}, {"flash_attn": "on"}], ids=str)
def test_a_setting_that_the_build_lacks(settings: dict[str, Setting]) -> None:
    (name,) = settings
    flag = "--" + name.replace("_", "-")
    with pytest.raises(Refused, match=rf"^this build of llama-server \(version 9999 \(fake\)\) has no {flag}$"):
        line(settings, lacks=flag)


def test_help_of_the_fake_names_every_setting() -> None:
    assert Path(HELP).is_file()
    assert {"--jinja", "--no-jinja", "--skip-chat-parsing", "--gpu-layers", "-ngl"} <= ABLE.flags
