import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from llamactl.core.errors import BadRequest, Refused
from llamactl.core.model import Model, Setting
from llamactl.core.parameters import BY_FLAG, LEFT_OUT, PARAMETERS
from llamactl.core.parameters.layers import Layer
from llamactl.llamaserver.arguments import Command, build, show
from llamactl.llamaserver.capabilities import Capabilities, choices_in, flags_in, templates_in
from tests.engines.fake.main import HELP

FAKE = Capabilities("9999 (fake)", 9999, flags_in(HELP.read_text()))
EVERY = frozenset(flag for flag in BY_FLAG if not PARAMETERS[BY_FLAG[flag].name].gone)
FULL = Capabilities("1 (full)", 1, EVERY)
ALWAYS = ["/bin/llama-server", "--model", "/m.gguf", "--alias", "qwen", "--host", "/run/a.sock", "--metrics"]


def without(*flags: str) -> Capabilities:
    """A build that has all flags of the table but these."""
    return Capabilities(FULL.version, FULL.build, EVERY - set(flags))


def built(
    settings: dict[str, Setting],
    layers: Sequence[Layer] = (),
    able: Capabilities = FULL,
    extra: Sequence[str] = (),
) -> Command:
    model = Model(name="qwen", path="/m.gguf", size=1, settings=settings)
    return build("/bin/llama-server", model, "/run/a.sock", layers, able, extra=extra)


def line(settings: dict[str, Setting], able: Capabilities = FULL) -> list[str]:
    """What is passed for the settings."""
    arguments = list(built(settings, able=able).arguments)
    assert arguments[: len(ALWAYS)] == ALWAYS
    return arguments[len(ALWAYS) :]


def test_what_is_unset_is_not_passed() -> None:
    assert line({}) == []
    assert built({}).environment == {}


def test_metrics_unless_the_build_has_none_or_the_user_wants_none() -> None:
    assert list(built({}, able=without("--metrics")).arguments) == ALWAYS[:-1]
    assert list(built({"metrics_enabled": False}).arguments) == ALWAYS[:-1]
    assert line({"metrics_enabled": True}) == []
    with pytest.raises(Refused, match=r"no --metrics$"):
        built({"metrics_enabled": True}, able=without("--metrics"))


@pytest.mark.parametrize(
    ("setting", "value", "passed"),
    [
        ("ctx_size", 0, ["--ctx-size", "0"]),
        ("threads", -1, ["--threads", "-1"]),
        ("gpu_layers", "all", ["--gpu-layers", "all"]),
        ("n_parallel", 2, ["--parallel", "2"]),
        ("parallel", 2, ["--parallel", "2"]),
        ("priority", -1, ["--prio", "-1"]),
        ("polling", 50, ["--poll", "50"]),
        ("temperature", 1, ["--temp", "1.0"]),
        ("cache_type_k", "q8_0", ["--cache-type-k", "q8_0"]),
        ("flash_attn", "auto", ["--flash-attn", "auto"]),
        ("flash_attn", True, ["--flash-attn", "on"]),
        ("flash_attn", False, ["--flash-attn", "off"]),
        ("jinja", True, ["--jinja"]),
        ("jinja", False, ["--no-jinja"]),
        ("cont_batching", False, ["--no-cont-batching"]),
        ("ignore_eos", True, ["--ignore-eos"]),
        ("ignore_eos", False, []),
        ("no_host", True, ["--no-host"]),
        ("no_webui", True, ["--no-ui"]),
        ("no_webui", False, ["--ui"]),
        ("cpu_strict", True, ["--cpu-strict", "1"]),
        ("cpu_strict", False, ["--cpu-strict", "0"]),
        ("fit_target", "1024,512", ["--fit-target", "1024,512"]),
        ("lora_scaled", "/a.gguf:0.5,/b.gguf:1", ["--lora-scaled", "/a.gguf:0.5,/b.gguf:1"]),
        ("control_vector_layer_range", "10,20", ["--control-vector-layer-range", "10", "20"]),
        ("dry_sequence_breaker", "\\n\n:", ["--dry-sequence-breaker", "\\n", "--dry-sequence-breaker", ":"]),
        ("logit_bias", "1+1,2-inf", ["--logit-bias", "1+1", "--logit-bias", "2-inf"]),
        ("samplers", "top_k;min_p", ["--samplers", "top_k;min_p"]),
        ("json_schema", '{"a": 1}', ["--json-schema", '{"a":1}']),
        ("rope_scaling_type", "yarn", ["--rope-scaling", "yarn"]),
        ("custom_params", "--keep 5 --reverse-prompt 'two words'", ["--keep", "5", "--reverse-prompt", "two words"]),
    ],
)
def test_each_form_of_setting(setting: str, value: Setting, passed: list[str]) -> None:
    assert line({setting: value}) == passed


def test_several_are_passed_in_the_order_of_the_table() -> None:
    assert line({"jinja": True, "threads": 4, "chat_template": "chatml", "ctx_size": 1}) == [
        *("--ctx-size", "1", "--threads", "4", "--jinja", "--chat-template", "chatml"),
    ]


def test_the_stronger_layer_wins() -> None:
    layers = [
        Layer("configuration", {"ctx_size": 1, "threads": 1, "seed": 1, "grammar": "root ::= x"}),
        Layer("server defaults", {"ctx_size": 2, "threads": 2, "seed": 2}),
        Layer("preset", {"ctx_size": 3, "threads": 3, "json_schema": "{}"}, "fast"),
    ]
    got = built({"ctx_size": 4}, layers).arguments[len(ALWAYS) :]
    assert got == ("--ctx-size", "4", "--threads", "3", "--seed", "2", "--json-schema", "{}")


@pytest.mark.parametrize(
    ("setting", "value", "lacks", "passed"),
    [
        ("draft_max", 8, (), ["--spec-draft-n-max", "8"]),
        ("draft_max", 8, ("--spec-draft-n-max",), ["--draft-max", "8"]),
        ("draft_max", 8, ("--spec-draft-n-max", "--draft-max", "--draft-n"), ["--draft", "8"]),
        ("model_draft", "/d.gguf", ("--spec-draft-model",), ["--model-draft", "/d.gguf"]),
        ("spec_draft_n_max", 8, ("--spec-draft-n-max",), ["--draft-max", "8"]),
        ("webui", False, ("--no-ui", "--ui"), ["--no-webui"]),
        ("kv_offload", False, ("--no-kv-offload",), ["-nkvo"]),
        ("temperature", 0.5, ("--temp",), ["--temperature", "0.5"]),
        ("mmap", False, (), ["--load-mode", "none"]),
        ("mmap", False, ("--load-mode", "-lm"), ["--no-mmap"]),
        ("mlock", True, (), ["--load-mode", "mmap+mlock"]),
        ("mlock", True, ("--load-mode", "-lm"), ["--mlock"]),
        ("mlock", False, (), []),
        ("mlock", False, ("--load-mode", "-lm"), []),
        ("direct_io", True, (), ["--load-mode", "dio"]),
        ("direct_io", True, ("--load-mode", "-lm"), ["--direct-io"]),
        ("direct_io", False, ("--load-mode", "-lm"), ["--no-direct-io"]),
        ("load_mode", "mlock", (), ["--load-mode", "mlock"]),
        ("load_mode", "mlock", ("--load-mode",), ["-lm", "mlock"]),
        ("load_mode", "mlock", ("--load-mode", "-lm"), ["--no-mmap", "--mlock"]),
        ("load_mode", "auto", ("--load-mode", "-lm"), []),
    ],
)
def test_as_the_build_spells_it(setting: str, value: Setting, lacks: tuple[str, ...], passed: list[str]) -> None:
    assert line({setting: value}, without(*lacks)) == passed


def test_the_load_mode_of_several_switches() -> None:
    assert line({"mmap": False, "mlock": True}) == ["--load-mode", "mlock"]
    assert line({"mmap": True, "mlock": True}) == ["--load-mode", "mmap+mlock"]
    assert line({"mmap": True, "mlock": False, "direct_io": False}) == ["--load-mode", "mmap"]
    assert line({"mmap": False, "direct_io": True}) == ["--load-mode", "dio"]
    assert line({"mmap": False, "mlock": True}, without("--load-mode", "-lm")) == ["--no-mmap", "--mlock"]
    with pytest.raises(Refused, match="lock a model in memory or read past the page cache, not both") as caught:
        line({"mlock": True, "direct_io": True})
    assert caught.value.hint == "remove it with: llamactl models unset qwen mlock"


@pytest.mark.parametrize("setting", ["mmap", "mlock", "direct_io"])
def test_a_build_with_no_load_mode_of_any_name(setting: str) -> None:
    """The stand-in of the other tests names none of these in its help."""
    flag = "--" + setting.replace("_", "-")
    with pytest.raises(Refused, match=rf"^this build of llama-server \(version 9999 \(fake\)\) has no {flag}$"):
        line({setting: True}, FAKE)


def test_a_switch_that_the_build_has_one_way_only() -> None:
    assert line({"jinja": False}, without("--no-jinja")) == []
    assert line({"warmup": True}, without("--warmup")) == []
    assert line({"warmup": False}, without("--warmup")) == ["--no-warmup"]
    with pytest.raises(Refused, match=r"has no --warmup$"):
        line({"warmup": True}, without("--warmup", "--no-warmup"))
    with pytest.raises(Refused, match=r"has no --no-warmup$"):
        line({"warmup": False}, without("--warmup", "--no-warmup"))
    assert line({"ignore_eos": False}, without("--ignore-eos")) == []


def test_no_short_form_where_there_is_a_long_one() -> None:
    assert line({"flash_attn": "on"}, FAKE) == ["--flash-attn", "on"]


def test_what_the_build_says_may_follow() -> None:
    able = Capabilities("1", 1, EVERY, {"--spec-type": ("none", "draft-simple")})
    assert line({"spec_type": "none,draft-simple"}, able) == ["--spec-type", "none,draft-simple"]
    with pytest.raises(Refused, match=r"has no --spec-type draft-mtp, only none, draft-simple$") as caught:
        line({"spec_type": "none,draft-mtp"}, able)
    assert caught.value.hint == "remove it with: llamactl models unset qwen spec_type"


@pytest.mark.parametrize("source", ["hf_repo", "docker_repo", "one_shot_preset"])
def test_a_model_that_llama_server_finds_itself(source: str) -> None:
    value = "gpt-oss-20b-default" if source == "one_shot_preset" else "org/model"
    arguments = built({source: value}).arguments
    assert "--model" not in arguments
    assert arguments[arguments.index("--metrics") + 1 :] in [
        (PARAMETERS[source].flags[0], value),
        ("--gpt-oss-20b-default",),
    ]


def test_a_download_has_the_file_as_its_goal() -> None:
    assert line({"model_url": "https://example.org/m.gguf"}) == ["--model-url", "https://example.org/m.gguf"]


def test_secrets_go_into_the_environment() -> None:
    made = built({"hf_token": "hf_abc", "api_key": "k1,k2", "threads": 2})
    assert made == Command((*ALWAYS, "--threads", "2"), {"HF_TOKEN": "hf_abc", "LLAMA_API_KEY": "k1,k2"})
    with pytest.raises(Refused, match=r"has no --hf-token$"):
        built({"hf_token": "hf_abc"}, able=without("--hf-token", "-hft"))


def test_what_is_shown_can_be_pasted() -> None:
    model = Model(name="my model", path="/m/it's.gguf", size=1, settings={"hf_token": "hf_abc", "grammar": "a ::= $b"})
    needed = {"LD_LIBRARY_PATH": "/opt/my libs"}
    made = build("/bin/llama-server", model, "/a.sock", [], FULL, environment=needed)
    shown = show(made)
    assert shown.startswith("LD_LIBRARY_PATH='/opt/my libs' HF_TOKEN='***' /bin/llama-server --model ")
    assert "hf_abc" not in shown
    assert shlex.split(shown)[2:] == list(made.arguments)
    assert made.environment == {**needed, "HF_TOKEN": "hf_abc"}


def test_an_unknown_setting() -> None:
    with pytest.raises(BadRequest, match="no setting 'ctx_sise'") as caught:
        line({"ctx_sise": 1})
    assert caught.value.hint == "remove it with: llamactl models unset qwen ctx_sise"


@pytest.mark.parametrize(
    ("setting", "value"),
    [("jinja", "yes"), ("sleep_idle_seconds", 0), ("n_parallel", 0), ("dry_penalty_last_n", -1), ("flash_attn", "")],
)
def test_a_value_that_llama_server_would_refuse(setting: str, value: Setting) -> None:
    with pytest.raises(BadRequest, match=f"^{setting} cannot be "):
        line({setting: value})


def test_a_setting_that_the_build_lacks() -> None:
    layers = [Layer("configuration", {"flash_attn": "on"})]
    with pytest.raises(
        Refused, match=r"^this build of llama-server \(version 1 \(full\)\) has no --flash-attn$"
    ) as caught:
        built({}, layers, able=without("--flash-attn", "-fa"))
    assert caught.value.hint == "remove it with: llamactl config unset llama_server.flash_attn"


@pytest.mark.parametrize("name", ["hf_file_v", "ctx_size_draft", "model_url_draft", "spec_replace", "verbose_prompt"])
def test_a_setting_that_no_build_has_any_more(name: str) -> None:
    others: dict[str, Setting] = {"ctx_size_draft": 512, "spec_replace": "a,b", "verbose_prompt": True}
    value = others.get(name, "x")
    with pytest.raises(Refused, match=f"has no {PARAMETERS[name].flags[0]}$") as caught:
        line({name: value})
    assert caught.value.hint == f"{PARAMETERS[name].gone}; remove it with: llamactl models unset qwen {name}"
    old = Capabilities("1", 1, EVERY | set(PARAMETERS[name].flags))
    assert line({name: value}, old)[0] == PARAMETERS[name].flags[0]


EXTRA = "remove it with: llamactl models unset qwen custom_params"


def test_more_arguments() -> None:
    able = Capabilities("1", 1, EVERY | {"--brand-new", "--newer"})
    words = ["--brand-new", "a", "b", "--newer", "--keep", "-1", "--ctx_size", "5", "-fa", "on", "--no-mmap"]
    made = built({"custom_params": "--special"}, able=able, extra=words)
    assert list(made.arguments[len(ALWAYS) :]) == ["--special", *words]


@pytest.mark.parametrize(
    "flag",
    [
        *("--host", "--port", "--path", "--api-key", "--api-key-file", "--ssl-key-file", "--ssl-cert-file"),
        *("--api_key", "--api_key_file", "--ssl_key_file", "--host=0.0.0.0", "--api_key=x", "--port=1"),
        *("--ssl-ca-file", "--api-key-of-tomorrow"),
        *("-m", "--model", "-a", "--alias", "--api-prefix", "--models-dir", "--list-devices", "-hft", "--hf-token"),
        *LEFT_OUT,
    ],
)
@pytest.mark.parametrize("before", [[], ["--special"], ["--grammar"], ["--brand-new", "x"]], ids=" ".join)
def test_what_is_ours_cannot_be_passed(flag: str, before: list[str]) -> None:
    able = Capabilities("1", 1, EVERY | {"--brand-new"})
    with pytest.raises(
        Refused, match=f"^{flag.partition('=')[0].replace('_', '-')} (cannot be passed|would show)"
    ) as caught:
        built({}, able=able, extra=[*before, flag, "x"])
    assert caught.value.hint == EXTRA
    with pytest.raises(Refused):
        built({"custom_params": shlex.join([*before, flag, "x"])}, able=able)


@pytest.mark.parametrize(
    ("words", "why", "hint"),
    [
        ("--no-such-flag", "has no --no-such-flag$", EXTRA),
        ("--model-draft /x", "has no --model-draft$", f"it is called --spec-draft-model there; {EXTRA}"),
        ("--draft_max 5", "has no --draft-max$", f"it is called --spec-draft-n-max there; {EXTRA}"),
        ("--no-webui", "has no --no-webui$", f"it is called --no-ui there; {EXTRA}"),
        ("--no-mmap", "has no --no-mmap$", f"it is called --load-mode there; {EXTRA}"),
        (
            "--ctx-size-draft 5",
            "has no --ctx-size-draft$",
            f"the draft model has the context of the model itself; {EXTRA}",
        ),
        ("-fa", "^-fa takes one value, not none$", EXTRA),
        ("-fa --jinja", "^-fa takes one value, not none$", EXTRA),
        ("--jinja on", "^'on' stands where llama-server would look for a flag$", EXTRA),
        ("on", "^'on' stands where", EXTRA),
        ("--keep 1 2", "^'2' stands where", EXTRA),
        ("--keep=1", "has no --keep=1$", EXTRA),
        ("--control-vector-layer-range 1", "takes 2 values, not 1$", EXTRA),
    ],
)
def test_more_arguments_that_would_not_do(words: str, why: str, hint: str) -> None:
    able = without("--model-draft", "--draft-max", "--no-webui", "--mmap", "--no-mmap")
    with pytest.raises(Refused, match=why) as caught:
        built({"custom_params": words}, able=able)
    assert caught.value.hint == hint


def test_help_of_the_fake_names_what_the_first_settings_need() -> None:
    assert Path(HELP).is_file()
    assert {"--jinja", "--no-jinja", "--skip-chat-parsing", "--gpu-layers", "-ngl"} <= FAKE.flags


HELP_TEXT = """\
----- common params -----

--draft, --draft-n, --draft-max N       the argument has been removed. use --spec-draft-n-max or
                                        --spec-ngram-mod-n-max
--poll-batch <0|1>                      use polling
--poll <0...100>                        polling level
-dev,  --device <dev1,dev2,..>          list of devices
-fit,  --fit [on|off]                   whether to adjust
-fitt, --fit-target MiB0,MiB1,MiB2,...
                                        margin
--rope-scaling {none,linear,yarn}       RoPE
-ctk,  --cache-type-k TYPE              KV cache data type for K
                                        allowed values: f32, f16, bf16, q8_0,
                                        q5_1
                                        (default: f16)
-hf,   -hfr, --hf-repo <user>/<model>[:quant]
                                        repository
--spec-type none,draft-simple,ngram-mod
                                        types
--chat-template JINJA_TEMPLATE          set custom jinja chat template
                                        list of built-in templates:
                                        bailing, chatml,
                                        granite-4.0, zephyr
                                        (env: X)
"""


def test_what_a_help_text_says_beyond_the_flags() -> None:
    assert not {"--draft", "--draft-n", "--draft-max", "--spec-draft-n-max"} & flags_in(HELP_TEXT)
    assert choices_in(HELP_TEXT) == {
        "--poll-batch": ("0", "1"),
        **dict.fromkeys(("-fit", "--fit"), ("on", "off")),
        "--rope-scaling": ("none", "linear", "yarn"),
        **dict.fromkeys(("-ctk", "--cache-type-k"), ("f32", "f16", "bf16", "q8_0", "q5_1")),
        "--spec-type": ("none", "draft-simple", "ngram-mod"),
    }
    assert templates_in(HELP_TEXT) == ("bailing", "chatml", "granite-4.0", "zephyr")
    assert templates_in(HELP.read_text()) == ()


# --- chat templates ------------------------------------------------------------------------------

TEMPLATED = Capabilities(FULL.version, FULL.build, EVERY, templates=("chatml", "llama3"))


@pytest.mark.parametrize(
    ("settings", "passed"),
    [
        ({"chat_template": "llama3"}, ["--no-jinja", "--chat-template", "llama3"]),
        ({"chat_template": "llama3", "jinja": False}, ["--no-jinja", "--chat-template", "llama3"]),
        ({"chat_template": "chatml"}, ["--chat-template", "chatml"]),
        ({"chat_template": "chatml", "jinja": True}, ["--jinja", "--chat-template", "chatml"]),
        ({"chat_template": "{{ x }}"}, ["--chat-template", "{{ x }}"]),
        ({"chat_template": "{{ x }}", "jinja": True}, ["--jinja", "--chat-template", "{{ x }}"]),
    ],
)
def test_a_name_of_a_template_is_no_text_of_one(settings: dict[str, Setting], passed: list[str]) -> None:
    assert line(settings, TEMPLATED) == passed


def test_a_build_that_needs_no_flag_for_that() -> None:
    able = Capabilities("1", 1, EVERY - {"--no-jinja"}, templates=("llama3",))
    assert line({"chat_template": "llama3"}, able) == ["--chat-template", "llama3"]
    assert line({"chat_template": "anything"}) == ["--chat-template", "anything"], "a build that lists none"


def test_a_name_that_is_none() -> None:
    with pytest.raises(Refused, match=r"has no chat template llama9$") as caught:
        line({"chat_template": "llama9"}, TEMPLATED)
    assert "llamactl templates ls" in caught.value.hint
    assert "models unset qwen chat_template" in caught.value.hint


def test_a_name_and_jinja_contradict_each_other() -> None:
    jinja = Layer("preset", {"jinja": True}, "fast")
    with pytest.raises(Refused, match=r"llama3 works without Jinja only.*preset fast") as caught:
        built({"chat_template": "llama3"}, [jinja], TEMPLATED)
    assert "presets unset fast jinja" in caught.value.hint


def test_the_llama_server_of_a_model_is_no_argument() -> None:
    assert line({"server_path": "/opt/other"}) == []
