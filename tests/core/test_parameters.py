import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.core.errors import BadRequest, Refused
from llamactl.core.model import Setting
from llamactl.core.parameters import (
    BY_FLAG,
    GROUPS,
    LEFT_OUT,
    PARAMETERS,
    SECRETS,
    Group,
    Parameter,
    allowed,
    columns,
    find,
    parse,
    pieces,
)
from llamactl.core.parameters.layers import Layer, effective
from tests.core.samples import SETTABLE, samples

SEED: dict[Group, str] = {
    "model": "model_path model_url docker_repo hf_repo hf_repo_draft hf_file hf_file_v hf_token ctx_size predict "
    "batch_size ubatch_size n_parallel cont_batching threads threads_batch cpu_mask cpu_range cpu_strict "
    "cpu_mask_batch cpu_range_batch cpu_strict_batch priority priority_batch",
    "sampling": "temperature top_k top_p min_p top_nsigma xtc_probability xtc_threshold typical_p repeat_last_n "
    "repeat_penalty presence_penalty frequency_penalty dry_multiplier dry_base dry_allowed_length dry_penalty_last_n "
    "dry_sequence_breaker dynatemp_range dynatemp_exp mirostat mirostat_lr mirostat_ent samplers sampler_seq seed "
    "grammar grammar_file json_schema json_schema_file ignore_eos escape rope_scaling_type rope_scale rope_freq_base "
    "rope_freq_scale yarn_orig_ctx yarn_ext_factor yarn_attn_factor yarn_beta_slow yarn_beta_fast flash_attn "
    "logit_bias",
    "memory": "cache_ram cache_type_k cache_type_v mmap mlock numa defrag_thold",
    "gpu": "device list_devices gpu_layers split_mode tensor_split main_gpu kv_offload repack no_host",
    "advanced": "swa_full override_tensor cpu_moe n_cpu_moe kv_unified pooling context_shift rpc offline override_kv "
    "op_offload fit fit_target fit_ctx check_tensors sleep_idle_seconds polling polling_batch reasoning_format "
    "reasoning_budget custom_params",
    "lora": "lora lora_scaled control_vector control_vector_scaled control_vector_layer_range model_draft "
    "model_url_draft ctx_size_draft threads_draft threads_batch_draft draft_max draft_min draft_p_min "
    "cache_type_k_draft cache_type_v_draft cpu_moe_draft n_cpu_moe_draft n_gpu_layers_draft device_draft spec_replace",
    "multimodal": "mmproj mmproj_url mmproj_auto mmproj_offload image_min_tokens image_max_tokens",
    "server": "host port api_prefix path webui webui_config_file no_webui embeddings reranking api_key api_key_file "
    "ssl_key_file ssl_cert_file timeout threads_http cache_reuse metrics_enabled props_enabled slots_enabled "
    "slot_save_path media_path models_dir models_preset models_max models_autoload jinja chat_template "
    "chat_template_file chat_template_kwargs prefill_assistant ctx_checkpoints verbose_prompt warmup spm_infill "
    "log_disable log_file log_colors log_verbose log_prefix log_timestamps",
}
"""The 169 tunable columns of the schema that this one continues."""

WITHOUT_COLUMN = """
--load-mode --direct-io --keep --perf --alias --tags --adaptive-target --adaptive-decay --backend-sampling --spec-type
--spec-ngram-mod-n-min --spec-ngram-mod-n-max --spec-ngram-mod-n-match --spec-ngram-simple-size-n
--spec-ngram-simple-size-m --spec-ngram-simple-min-hits --spec-ngram-map-k-size-n --spec-ngram-map-k-size-m
--spec-ngram-map-k-min-hits --spec-ngram-map-k4v-size-n --spec-ngram-map-k4v-size-m --spec-ngram-map-k4v-min-hits
--spec-draft-p-split --spec-draft-backend-sampling --spec-draft-override-tensor --spec-draft-cpu-mask
--spec-draft-cpu-range --spec-draft-cpu-strict --spec-draft-prio --spec-draft-poll --spec-draft-cpu-mask-batch
--spec-draft-cpu-strict-batch --spec-draft-prio-batch --spec-draft-poll-batch --spec-default --lookup-cache-static
--lookup-cache-dynamic --checkpoint-min-step --cache-idle-slots --cache-prompt --mtmd-batch-max-tokens
--embd-normalize --reverse-prompt --special --reasoning --reasoning-effort --reasoning-budget-message
--reasoning-preserve --skip-chat-parsing --slot-prompt-similarity --lora-init-without-apply --sse-ping-interval
--reuse-port --cors-origins --cors-methods --cors-headers --cors-credentials --ui-config --ui-mcp-proxy --tools
--tools-runtime --mcp-servers-config --mcp-servers-json --agent --log-prompts-dir --verbosity
--gpt-oss-20b-default --gpt-oss-120b-default --fim-qwen-7b-default --embd-gemma-default --vision-gemma-4b-default
"""


@pytest.mark.parametrize("group", SEED)
def test_every_column_of_the_seed_in_its_order(group: Group) -> None:
    assert [column.name for column in columns(group) if column.name in SEED[group].split()] == SEED[group].split()


def test_the_seed_is_counted_right() -> None:
    assert sum(len(names.split()) for names in SEED.values()) == 169
    assert tuple(SEED) == GROUPS


def test_flags_without_a_column_have_got_one() -> None:
    assert set(WITHOUT_COLUMN.split()) <= set(BY_FLAG)


def test_a_flag_belongs_to_one_parameter() -> None:
    flags = Counter(flag for parameter in PARAMETERS.values() for flag in (*parameter.flags, *parameter.off))
    assert {flag for flag, count in flags.items() if count > 1} == set()
    assert not set(flags) & set(LEFT_OUT)


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=PARAMETERS)
def test_the_entry_makes_sense(parameter: Parameter) -> None:
    assert PARAMETERS[parameter.name] is parameter
    assert re.fullmatch("[a-z][a-z0-9_]*", parameter.name)
    assert parameter.flags or parameter.inverts or parameter.ours or parameter.kind == "arguments"
    assert all(re.fullmatch("--?[A-Za-z][a-z0-9.-]*", flag) for flag in (*parameter.flags, *parameter.off))
    assert not parameter.flags or parameter.flags[0].startswith("--")
    assert 5 < len(parameter.help) < 100
    assert not parameter.help.endswith(".")
    assert parameter.kind == "switch" or not (parameter.off or parameter.words)
    assert (parameter.kind == "choice") <= bool(parameter.choices)
    assert bool(parameter.pattern) <= bool(parameter.form)
    assert not (parameter.least is not None and parameter.most is not None and parameter.least > parameter.most)
    assert allowed(parameter)
    assert parameter.scope == ("server" if parameter.group == "server" else "model")


def test_secrets_are_known_by_their_variables() -> None:
    assert sorted(SECRETS) == ["HF_TOKEN", "LLAMA_API_KEY", "LLAMA_ARG_MCP_SERVERS_JSON"]


@pytest.mark.parametrize("parameter", SETTABLE, ids=lambda parameter: parameter.name)
def test_what_is_kept_is_a_value_again(parameter: Parameter, tmp_path: Path) -> None:
    for value in samples(parameter, tmp_path):
        assert parse(parameter.name, value) == value
        assert type(parse(parameter.name, str(value))) is type(value)
        assert parse(parameter.name, str(value)) == value


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        *[("jinja", text, True) for text in ("on", "true", "1", "ON", True, 1)],
        *[("jinja", text, False) for text in ("off", "false", "0", " Off ", False, 0)],
        ("ctx_size", "4096", 4096),
        ("ctx_size", 4096.0, 4096),
        ("n_parallel", "-1", -1),
        ("n_parallel", 4, 4),
        ("gpu_layers", "99", 99),
        ("gpu_layers", "ALL", "all"),
        ("gpu_layers", -1, -1),
        ("sleep_idle_seconds", -1, -1),
        ("seed", 2**32 - 1, 2**32 - 1),
        ("temperature", "1", 1.0),
        ("temperature", 1, 1.0),
        ("temperature", ".5", 0.5),
        ("yarn_ext_factor", "-1e-3", -0.001),
        ("flash_attn", True, "on"),
        ("flash_attn", "0", "off"),
        ("flash_attn", "Auto", "auto"),
        ("polling", "50", 50),
        ("cpu_strict", 1, True),
        ("fit_target", 1024, "1024"),
        ("fit_target", [1024, 512], "1024,512"),
        ("fit_target", "1024, 512", "1024,512"),
        ("tensor_split", "3,1", "3.0,1.0"),
        ("control_vector_layer_range", "10 20", "10,20"),
        ("control_vector_layer_range", "[10,20]", "10,20"),
        ("dry_sequence_breaker", ["\n", ":", ","], "\\n\n:\n,"),
        ("dry_sequence_breaker", ",", ","),
        ("dry_sequence_breaker", "[", "["),
        ("logit_bias", "15043+1, 15044-inf", "15043+1,15044-inf"),
        ("lora", ["/a.gguf", "/b.gguf"], "/a.gguf,/b.gguf"),
        ("json_schema", {"type": "object"}, '{"type":"object"}'),
        ("json_schema", ' {"type": "object"} ', '{"type":"object"}'),
        (
            "custom_params",
            "--keep 5  --chat-template-kwargs '{\"a\": 1}'",
            "--keep 5 --chat-template-kwargs '{\"a\": 1}'",
        ),
        ("custom_params", ["--reverse-prompt", "two words"], "--reverse-prompt 'two words'"),
        ("extra", '["--keep", "5"]', "--keep 5"),
        ("tags", "a,b", "a,b"),
        ("docker_repo", 7, "7"),
    ],
)
def test_values(name: str, given: object, kept: Setting) -> None:
    value = parse(name, given)
    assert (value, type(value)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("name", "given", "may"),
    [
        ("jinja", "yes", "on or off"),
        ("jinja", 2, "on or off"),
        ("jinja", None, "on or off"),
        ("ctx_size", "4k", "a whole number of tokens, 0 or more"),
        ("ctx_size", -1, "a whole number of tokens, 0 or more"),
        ("ctx_size", 1.5, "a whole number of tokens, 0 or more"),
        ("ctx_size", True, "a whole number of tokens, 0 or more"),
        ("ctx_size", 2**31, "a whole number of tokens, 0 or more"),
        ("ctx_size", "４", "a whole number of tokens, 0 or more"),
        ("ctx_size", [1], "a whole number of tokens, 0 or more"),
        ("n_parallel", 0, "a whole number of slots, 1 or more, or -1"),
        ("sleep_idle_seconds", "0", "a whole number of seconds, 1 or more, or -1"),
        ("sleep_idle_seconds", -2, "a whole number of seconds, 1 or more, or -1"),
        ("dry_penalty_last_n", -1, "a whole number of tokens, 0 or more"),
        ("repeat_last_n", -1, "a whole number of tokens, 0 or more"),
        ("gpu_layers", "some", "auto, all or a whole number of layers, 0 or more"),
        ("gpu_layers", -3, "auto, all or a whole number of layers, 0 or more"),
        ("priority", 4, "a whole number from -1 to 3"),
        ("seed", 2**32, "a whole number from -1 to 4294967295"),
        ("top_p", 1.01, "a number from 0 to 1"),
        ("top_p", "nan", "a number from 0 to 1"),
        ("temperature", float("inf"), "a number of 0 or more"),
        ("temperature", 1e39, "a number of 0 or more"),
        ("temperature", 1e-39, "a number of 0 or more"),
        ("repeat_penalty", 0, "a number of 0.01 or more"),
        ("presence_penalty", "1e400", "a number"),
        ("flash_attn", "maybe", "on, off or auto"),
        ("flash_attn", "", "on, off or auto"),
        ("fit", "auto", "on or off"),
        ("cache_type_k", "q4", "f32, f16, bf16, q8_0, q4_0, q4_1, iq4_nl, q5_0 or q5_1"),
        ("cache_type_k", True, "f32, f16, bf16, q8_0, q4_0, q4_1, iq4_nl, q5_0 or q5_1"),
        ("grammar", True, "a text"),
        ("cpu_mask", "xyz", "a hexadecimal mask"),
        ("cpu_range", "-", "a range like 0-3"),
        ("tensor_split", ",".join("1" * 17), "up to 16 items, each a number of 0 or more, with , between them"),
        ("fit_target", "1024,x", "one or more items, each a whole number of MiB, 0 or more, with , between them"),
        ("spec_type", "draft", f"one or more of {'.*'} or ngram-cache, with , between them"),
        ("lora_scaled", "/a.gguf", "one or more of FILE:SCALE, with , between them"),
        ("logit_bias", "hello+1", r"one or more of TOKEN\+BIAS or TOKEN-BIAS, with , between them"),
        ("control_vector_layer_range", "10", "START,END"),
        ("control_vector_layer_range", "1,2,3", "START,END"),
        ("json_schema", "[]", "a JSON object"),
        ("mmproj", 5, "the absolute path of a file"),
        ("slot_save_path", None, "the absolute path of a directory"),
        ("custom_params", 5, "arguments as for a shell, or a list of them"),
    ],
)
def test_what_is_none(name: str, given: object, may: str) -> None:
    with pytest.raises(BadRequest, match=f"^{name} cannot be .*: it may be {may}$") as caught:
        parse(name, given)
    assert caught.value.hint == f"{name}: {PARAMETERS[name].help}"


@pytest.mark.parametrize(
    ("name", "given", "why"),
    [
        ("grammar", "", "it cannot be empty; to leave it to llama-server, unset it"),
        ("tags", "", "it cannot be empty"),
        ("grammar", "a\0b", "no argument can hold a zero byte"),
        ("mmproj", "/\udcff", "it is no text in UTF-8"),
        ("grammar", "x" * 131072, "an argument cannot be longer than 131071 bytes; put it into a file"),
        ("lora", ["/x"] * 5000, "it may be one or more absolute paths"),
        ("mmproj", "mmproj.gguf", "write the whole path"),
        ("lora", "/a.gguf,b.gguf", "write the whole path"),
        ("lora_scaled", "a.gguf:1", "write the whole path"),
        ("lora", ["/a,b.gguf"], "an item cannot hold ','"),
        ("json_schema", "{", "this is not JSON: "),
        ("custom_params", "--grammar 'x", "a shell could not read it: no closing quotation"),
        ("custom_params", "[1]", "it must be a list of texts"),
    ],
)
def test_why_it_is_none(name: str, given: object, why: str) -> None:
    with pytest.raises(BadRequest, match=why) as caught:
        parse(name, given)
    assert len(caught.value.message) < 200


def test_a_secret_is_not_repeated() -> None:
    with pytest.raises(BadRequest, match=r"^hf_token cannot be \*\*\*: no argument"):
        parse("hf_token", "abc\0")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("list_devices", "llamactl devices"),
        ("host", "http.host and http.port"),
        ("--port", "http.host and http.port"),
        ("model_path", "llamactl models add FILE"),
        ("alias", "llamactl models rename OLD NEW"),
        ("ssl_key_file", "http.tls_cert"),
        ("api_key_file", "llamactl keys create"),
        ("models_max", "residency.max_models"),
    ],
)
def test_what_llamactl_never_passes(name: str, why: str) -> None:
    with pytest.raises(Refused, match=f" cannot be set: .*{re.escape(why)}"):
        parse(name, "1")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("parallel", "n_parallel"),
        ("ctx-size", "ctx_size"),
        ("--ctx-size", "ctx_size"),
        ("-c", "ctx_size"),
        ("-C", "cpu_mask"),
        ("temp", "temperature"),
        ("model_draft", "model_draft"),
        ("spec_draft_n_max", "draft_max"),
        ("ui", "webui"),
        ("slots", "slots_enabled"),
        ("extra", "custom_params"),
    ],
)
def test_a_flag_is_as_good_as_a_name(name: str, found: str) -> None:
    assert find(name).name == found


@pytest.mark.parametrize("name", ["ctx_sise", "CTX_SIZE", "--no-mmap", "no_mmap", "", "-", "c", "xyzzy"])
def test_names_that_there_are_not(name: str) -> None:
    with pytest.raises(BadRequest, match=f"^llama-server has no setting '{name}'$") as caught:
        find(name)
    assert name != "ctx_sise" or "ctx_size" in caught.value.hint
    assert name != "--no-mmap" or "mmap" in caught.value.hint


def test_the_pieces_of_a_value() -> None:
    assert pieces(PARAMETERS["dry_sequence_breaker"], "\\n\n,") == ["\\n", ","]
    assert pieces(PARAMETERS["custom_params"], "--a 'b c'") == ["--a", "b c"]
    assert pieces(PARAMETERS["cpu_strict"], True) == ["1"]
    assert pieces(PARAMETERS["temperature"], 0.5) == ["0.5"]


@given(st.sampled_from(list(PARAMETERS)), st.text() | st.integers() | st.floats() | st.booleans() | st.lists(st.text()))
def test_anything_is_a_value_or_refused_in_words(name: str, given: object) -> None:
    try:
        kept = parse(name, given)
    except (BadRequest, Refused) as error:
        assert error.message.startswith(PARAMETERS[name].name)
    else:
        assert parse(name, kept) == kept


CONFIG = Layer("configuration", {"threads": 4, "ctx_size": 4096, "chat_template": "chatml", "load_mode": "mlock"})
SERVER = Layer("server defaults", {"threads": 6, "jinja": True, "no_webui": True})
PRESET = Layer("preset", {"threads": 8, "temperature": 0.2}, "fast")


def model(**settings: Setting | None) -> Layer:
    return Layer("model", settings, "qwen")


def values(*layers: Layer) -> dict[str, Setting]:
    return {name: found.value for name, found in effective(layers).items()}


def test_the_last_layer_is_the_strongest() -> None:
    found = effective([CONFIG, SERVER, PRESET, model(threads=2)])
    assert {name: (each.value, each.layer.origin) for name, each in found.items()} == {
        "ctx_size": (4096, "configuration"),
        "threads": (2, "model"),
        "temperature": (0.2, "preset"),
        "load_mode": ("mlock", "configuration"),
        "webui": (False, "server defaults"),
        "jinja": (True, "server defaults"),
        "chat_template": ("chatml", "configuration"),
    }
    assert list(found) == [name for name in PARAMETERS if name in found]


def test_none_is_not_set() -> None:
    assert values(PRESET, model(threads=None)) == {"threads": 8, "temperature": 0.2}


def test_spellings_meet() -> None:
    assert values(Layer("configuration", {"parallel": 4}), model(n_parallel=2)) == {"n_parallel": 2}


def test_one_of_a_family() -> None:
    assert values(CONFIG, model(chat_template_file="/t.jinja"))["chat_template_file"] == "/t.jinja"
    assert "chat_template" not in values(CONFIG, model(chat_template_file="/t.jinja"))
    both = model(chat_template="chatml", chat_template_file="/t.jinja")
    assert set(values(both)) == {"chat_template", "chat_template_file"}


@pytest.mark.parametrize(
    ("weak", "strong", "counts"),
    [
        ({"load_mode": "mlock"}, {"mmap": False}, {"mmap": False}),
        ({"mmap": False, "mlock": True}, {"load_mode": "dio"}, {"load_mode": "dio"}),
        ({"mmap": False}, {"mlock": True}, {"mmap": False, "mlock": True}),
        ({}, {"mmap": False, "load_mode": "mmap"}, {"load_mode": "mmap"}),
    ],
)
def test_the_load_mode_and_what_it_replaces(
    weak: dict[str, Setting], strong: dict[str, Setting], counts: dict[str, Setting]
) -> None:
    assert values(Layer("preset", weak), model(**strong)) == counts


def test_a_negation() -> None:
    assert values(SERVER, model(no_webui=False)) == {"threads": 6, "jinja": True, "webui": True}
    assert values(SERVER, model(webui=True))["webui"] is True
    assert values(model(webui=True, no_webui=True)) == {"webui": True}


@pytest.mark.parametrize(
    ("layer", "way_out"),
    [
        (model(top_p=2), "remove it with: llamactl models unset qwen top_p"),
        (Layer("configuration", {"top_p": 2}), "remove it with: llamactl config unset llama_server.top_p"),
        (Layer("server defaults", {"top_p": 2}), "remove it with: llamactl models defaults unset top_p"),
        (Layer("preset", {"top_p": 2}, "fast"), "remove it with: llamactl presets unset fast top_p"),
    ],
)
def test_the_way_out_of_a_bad_one(layer: Layer, way_out: str) -> None:
    with pytest.raises(BadRequest, match=r"^top_p cannot be '2': it may be a number from 0 to 1$") as caught:
        effective([layer])
    assert caught.value.hint == way_out


def test_the_way_out_of_a_refused_one() -> None:
    with pytest.raises(Refused, match=r"^host cannot be set") as caught:
        effective([model(host="0.0.0.0")])
    assert caught.value.hint == "remove it with: llamactl models unset qwen host"
