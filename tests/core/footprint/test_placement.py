from llamactl.core.devices import named
from llamactl.core.footprint import OVERHEAD_DEVICE, Subject, project
from llamactl.core.footprint.placement import place
from llamactl.core.footprint.setup import Setup, setup
from llamactl.core.model import HOST, Setting
from tests.core.footprint.facts import BIG, EIGHT, GIB, INPUT, KV_PER_TOKEN, LAYER, MIB, OUTPUT, SMALL, like, subject


def resolved(**settings: Setting) -> Setup:
    return setup(EIGHT, settings)


def test_without_a_gpu_all_is_on_the_host() -> None:
    found = project(subject(), {"ctx_size": 8192})
    assert found.keys() == {HOST}
    assert found[HOST].weights == INPUT + 32 * LAYER + OUTPUT
    assert found[HOST].kv == 8192 * KV_PER_TOKEN


def test_with_one_gpu_the_embeddings_and_the_output_stay() -> None:
    found = project(subject(), {"ctx_size": 8192}, [BIG])
    assert found["CUDA0"].weights == 32 * LAYER + OUTPUT
    assert found["CUDA0"].kv == 8192 * KV_PER_TOKEN
    assert found["CUDA0"].overhead == OVERHEAD_DEVICE
    assert (found[HOST].weights, found[HOST].kv) == (INPUT, 0)
    assert 0 < found[HOST].compute < found["CUDA0"].compute
    assert found[HOST].output == 4 * 128256 * 4


def test_shared_by_what_is_free_or_as_told() -> None:
    assert place(31, resolved(), [BIG, SMALL]) == ["CUDA0"] * 24 + ["CUDA1"] * 8
    assert place(31, resolved(tensor_split="1,3"), [BIG, SMALL]) == ["CUDA0"] * 8 + ["CUDA1"] * 24
    assert place(31, resolved(tensor_split="0,1"), [BIG, SMALL]) == ["CUDA1"] * 32
    assert place(31, resolved(split_mode="none", main_gpu=1), [BIG, SMALL]) == ["CUDA1"] * 32
    assert place(31, resolved(device="cuda1"), [BIG, SMALL]) == ["CUDA1"] * 32
    assert place(31, resolved(device="none"), [BIG, SMALL]) == [HOST] * 32


def test_the_last_layers_go_to_the_gpu() -> None:
    assert place(4, resolved(gpu_layers=2), [BIG]) == [HOST] * 3 + ["CUDA0"] * 2
    assert place(4, resolved(gpu_layers=99), [BIG]) == ["CUDA0"] * 5
    assert place(4, resolved(gpu_layers=0), [BIG]) == [HOST] * 5
    found = project(subject(), {"ctx_size": 8192, "gpu_layers": 9}, [BIG])
    assert found["CUDA0"].weights == 8 * LAYER + OUTPUT
    assert found["CUDA0"].kv == found[HOST].kv // 3 == 8192 * KV_PER_TOKEN // 4


def test_what_may_stay_with_the_host() -> None:
    kept = project(subject(), {"ctx_size": 8192, "kv_offload": False}, [BIG])
    assert (kept["CUDA0"].kv, kept[HOST].kv) == (0, 8192 * KV_PER_TOKEN)
    sparse = subject(like(experts=8, experts_used=2, expert_bytes=(200 * MIB,) * 32))
    two = project(sparse, {"ctx_size": 8192, "n_cpu_moe": 2}, [BIG])
    assert two[HOST].weights == INPUT + 2 * 200 * MIB
    assert two["CUDA0"].weights == OUTPUT + 32 * LAYER - 2 * 200 * MIB
    assert project(sparse, {"cpu_moe": True}, [BIG])[HOST].weights == INPUT + 32 * 200 * MIB


def test_a_tied_output_is_copied_to_a_gpu_only() -> None:
    tied = subject(like(tied_output=True, output_bytes=MIB))
    assert project(tied, {})[HOST].weights == INPUT + 32 * LAYER + MIB
    assert project(tied, {}, [BIG])["CUDA0"].weights == INPUT + 32 * LAYER + MIB


def test_layers_that_only_predict_are_weights_without_a_cache() -> None:
    found = project(subject(like(nextn_layers=1)), {"ctx_size": 8192})[HOST]
    assert found.weights == INPUT + 32 * LAYER + OUTPUT
    assert found.kv == 8192 * KV_PER_TOKEN * 31 // 32


def test_a_draft_model_and_a_projector_come_on_top() -> None:
    small = Subject(size=GIB, facts=like(layers=2, layer_bytes=(LAYER,) * 2))
    whole = Subject(size=8 * GIB, facts=EIGHT, draft=small, projector=400 * MIB)
    alone, found = (project(one, {"ctx_size": 8192}, [BIG]) for one in (subject(), whole))
    assert found["CUDA0"].weights - alone["CUDA0"].weights == 2 * LAYER + OUTPUT + 400 * MIB
    assert found["CUDA0"].kv - alone["CUDA0"].kv == 8192 * KV_PER_TOKEN // 16
    assert found[HOST].weights - alone[HOST].weights == INPUT
    assert found["CUDA0"].overhead == alone["CUDA0"].overhead
    own = project(whole, {"ctx_size": 8192, "n_gpu_layers_draft": 0, "mmproj_offload": False}, [BIG])
    assert own["CUDA0"].weights == alone["CUDA0"].weights
    assert own[HOST].weights - alone[HOST].weights == INPUT + 2 * LAYER + OUTPUT + 400 * MIB
    quantised = project(whole, {"ctx_size": 8192, "cache_type_k_draft": "q8_0"}, [BIG])
    assert alone["CUDA0"].kv < quantised["CUDA0"].kv < found["CUDA0"].kv


def test_of_an_unread_file_only_the_size_is_known() -> None:
    assert project(subject(None), {})[HOST].weights == 8 * GIB
    shared = project(subject(None), {}, [BIG, SMALL])
    assert (shared["CUDA0"].weights, shared["CUDA1"].weights) == (6 * GIB, 2 * GIB)


def test_names_of_devices_are_found_in_any_case() -> None:
    assert named({"cuda0": 1, "HOST": 2, "other": 3}, [BIG]) == {"CUDA0": 1, HOST: 2, "other": 3}
