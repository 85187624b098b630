"""What is kept by layer; a real llama-server is asked in `tests/llamaserver/test_footprint.py`."""

from llamactl.core.facts import Facts
from llamactl.core.footprint.cache import Layer, cells, kv_bytes, layers, row, state_bytes
from llamactl.core.footprint.setup import setup, spelled_out
from llamactl.core.model import Setting
from tests.core.footprint.facts import EIGHT, like


def windows(facts: Facts) -> str:
    return "".join("-" if not layer.keys else "w" if layer.windowed else "F" for layer in layers(facts))


def recurrent(facts: Facts) -> str:
    return "".join("R" if layer.state else "." for layer in layers(facts))


def test_a_plain_model() -> None:
    assert layers(EIGHT) == [Layer(1024, 1024)] * 32


def test_windows_go_by_the_architecture_where_the_file_is_silent() -> None:
    six = {"layers": 6, "sliding_window": 512}
    assert windows(like(**six)) == "FFFFFF", "llama knows no windows"
    assert windows(like(architecture="gemma2", **six)) == "wFwFwF"
    assert windows(like(architecture="gemma3", **six)) == "wwwwwF"
    assert windows(like(architecture="smallthinker", **six)) == "FwwwFw"
    assert windows(like(architecture="gemma3", layers=6)) == "FFFFFF", "no window, no pattern"
    assert windows(like(architecture="llama4", layers=4)) == "wwwF"


def test_the_pattern_in_the_file_counts() -> None:
    pattern = (False, True, True)
    assert windows(like(architecture="gemma2", layers=3, sliding_window=9, sliding_pattern=pattern)) == "Fww"


def test_windows_may_have_other_lengths() -> None:
    facts = like(architecture="gemma2", layers=2, sliding_window=9, key_length_swa=64, value_length_swa=32)
    assert layers(facts) == [Layer(512, 256, True), Layer(1024, 1024)]


def test_layers_without_a_cache_of_their_own() -> None:
    assert windows(like(layers=5, shared_kv_layers=2)) == "FFF--"
    assert windows(like(layers=5, nextn_layers=1)) == "FFFF"
    assert windows(like(layers=2, causal=False)) == "--"


def test_compressed_keys_hold_the_values() -> None:
    facts = like(layers=1, architecture="deepseek2", kv_heads=(1,), key_length=576, value_length=512, kv_lora_rank=512)
    assert layers(facts) == [Layer(576, 0)]
    assert layers(like(layers=1, kv_lora_rank=512)) == [Layer(1024, 1024)], "an old file, not compressed"


def test_recurrent_layers() -> None:
    ssm = {"ssm_conv_kernel": 4, "ssm_inner_size": 1024, "ssm_state_size": 16, "layers": 4}
    hybrid = (0, 8, 0, 0)
    assert recurrent(like(architecture="mamba", kv_heads=(0,), **ssm)) == "RRRR"
    assert recurrent(like(architecture="jamba", kv_heads=hybrid, **ssm)) == "R.RR"
    assert windows(like(architecture="jamba", kv_heads=hybrid, **ssm)) == "-F--"
    assert recurrent(like(architecture="qwen3next", **ssm)) == "RRR."
    assert recurrent(like(architecture="qwen3next", full_attention_interval=2, **ssm)) == "R.R."
    assert recurrent(like(architecture="nemotron_h", kv_heads=hybrid, feed_forward=(0, 0, 9, 0), **ssm)) == "R..R"
    both = like(architecture="falcon-h1", **ssm)
    assert (recurrent(both), windows(both)) == ("RRRR", "FFFF")
    assert layers(like(architecture="mamba", kv_heads=(0,), **ssm))[0].state == (3 + 16) * 1024
    grouped = like(architecture="mamba2", kv_heads=(0,), ssm_group_count=2, **ssm)
    assert layers(grouped)[0].state == 3 * (1024 + 2 * 2 * 16) + 16 * 1024


def test_other_states() -> None:
    assert layers(like(layers=1, wkv_head_size=64, kv_heads=(0,)))[0].state == 4096 * (64 + 2)
    assert layers(like(layers=2, shortconv_cache=3, kv_heads=(0, 8))) == [Layer(state=8192), Layer(1024, 1024)]


def test_rows_of_quantised_numbers() -> None:
    assert [row(64, kind) for kind in ("f32", "f16", "q8_0", "q4_0", "q5_1")] == [256, 128, 68, 36, 48]
    assert row(33, "q8_0") == 68, "whole blocks"


def test_cells() -> None:
    facts = like(sliding_window=1024)
    shared, own = setup(facts, {"ctx_size": 5000}), setup(facts, {"ctx_size": 5000, "n_parallel": 3})
    assert (shared.cells, shared.streams) == (5120, 1)
    assert (own.cells, own.streams) == (1792, 3)
    assert cells(shared, facts, True) == 1024 * 4 + 512
    assert cells(own, facts, True) == 1024 + 512
    assert cells(setup(facts, {"ctx_size": 5000, "swa_full": True}), facts, True) == 5120
    assert cells(setup(facts, {"ctx_size": 256}), facts, True) == 256, "never more than the whole"


def test_a_state_for_each_slot_and_keys_for_each_cell() -> None:
    layer = Layer(1024, 1024, state=100)
    resolved = setup(EIGHT, {"ctx_size": 4096, "n_parallel": 2})
    assert state_bytes(layer, resolved) == 100 * 4 * 2
    assert kv_bytes(layer, resolved, EIGHT) == 2 * 1024 * 2 * 4096


def test_what_a_setting_comes_to() -> None:
    plain = setup(EIGHT, {})
    assert (plain.context, plain.slots, plain.unified, plain.ubatch, plain.outputs) == (131072, 4, True, 512, 4)
    one = setup(EIGHT, {"n_parallel": 1, "ctx_size": 100})
    assert (one.unified, one.ubatch, one.outputs) == (False, 100, 1)
    assert setup(EIGHT, {"ctx_size": 0}).context == 131072
    assert setup(Facts(), {}).context == 4096
    assert setup(EIGHT, {"embeddings": True}).outputs == 512
    assert [setup(EIGHT, {"gpu_layers": value}).gpu_layers for value in ("auto", -1, 7, 0)] == [None, None, 7, 0]
    assert [setup(EIGHT, {"device": value}).devices for value in ("none", "CUDA1,CUDA0")] == [(), ("CUDA1", "CUDA0")]


def test_more_arguments_count_too() -> None:
    settings: dict[str, Setting] = {
        "ctx_size": 1,
        "custom_params": "-c 8192 --swa-full -nkvo --threads 3 -ctk nonsense",
    }
    found = spelled_out(settings)
    assert (found["ctx_size"], found["swa_full"], found["kv_offload"]) == (8192, True, False)
    assert "threads" not in found and "cache_type_k" not in found
