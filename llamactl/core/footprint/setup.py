"""What llama-server makes of the settings that say how much memory it takes.

Source: llama.cpp's `common_params`, `llama_context` and `server`, and measurements of build b10434.
"""

from collections.abc import Mapping

import msgspec

from llamactl.core.errors import BadRequest, Refused
from llamactl.core.facts import Facts
from llamactl.core.model import Setting
from llamactl.core.parameters import BY_FLAG, PARAMETERS, parse, pieces

AUTO_SLOTS = 4
"""What `--parallel -1`, its default, comes to; they share one cache then."""

CONTEXT = 4096
"""Tokens, for a file that does not say what its model was trained with."""

BATCH, UBATCH = 2048, 512
CELLS = 256
"""The number of cells of a cache is a multiple of it."""

RELEVANT = (
    *("ctx_size", "n_parallel", "kv_unified", "batch_size", "ubatch_size", "cache_type_k", "cache_type_v"),
    *("flash_attn", "swa_full", "kv_offload", "gpu_layers", "split_mode", "tensor_split", "main_gpu", "device"),
    *("override_tensor", "cpu_moe", "n_cpu_moe", "override_kv", "embeddings", "reranking", "pooling", "rpc"),
    *("load_mode", "mmap", "mlock", "direct_io", "repack", "no_host", "op_offload", "fit", "fit_target", "fit_ctx"),
    *("mmproj", "mmproj_offload", "model_draft", "cache_type_k_draft", "cache_type_v_draft", "n_gpu_layers_draft"),
    *("device_draft", "cpu_moe_draft", "n_cpu_moe_draft", "lora", "spec_type", "server_path", "custom_params"),
)
"""The settings that change how much memory a model takes."""


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """Defaults resolved. `context` is tokens for all slots as asked for, before padding; `streams` is how many caches
    there are, one for each slot or one for all. `gpu_layers` None: as many as there are. `cpu_experts` is of how many
    layers the experts stay in the host's memory.
    """

    context: int
    slots: int
    unified: bool
    ubatch: int
    outputs: int
    key_type: str = "f16"
    value_type: str = "f16"
    flash: bool = True
    swa_full: bool = False
    offload_kv: bool = True
    gpu_layers: int | None = None
    split_mode: str = "layer"
    tensor_split: tuple[float, ...] = ()
    main_gpu: int = 0
    devices: tuple[str, ...] | None = None
    cpu_experts: int = 0

    @property
    def streams(self) -> int:
        return 1 if self.unified else self.slots

    @property
    def cells(self) -> int:
        """Of one stream."""
        padded = pad(self.context)
        return padded if self.unified else pad(padded // self.slots)


def pad(cells: int) -> int:
    return -(-cells // CELLS) * CELLS


def setup(facts: Facts, settings: Mapping[str, Setting]) -> Setup:
    """`settings` are those that count, by parameter; the rest is as llama-server has it."""
    given = settings.get
    wanted = _integer(given("n_parallel"), -1)
    slots = wanted if wanted > 0 else AUTO_SLOTS
    context = _integer(given("ctx_size"), 0) or facts.context_length or CONTEXT
    batch = min(_integer(given("batch_size"), BATCH), context)
    embeds = bool(given("embeddings") or given("reranking"))
    ubatch = min(_integer(given("ubatch_size"), UBATCH), batch)
    layers = (facts.layers or 0) + 1
    on_cpu = layers if given("cpu_moe") else _integer(given("n_cpu_moe"), 0)
    return Setup(
        context=context,
        slots=slots,
        unified=bool(given("kv_unified", wanted <= 0)),
        ubatch=ubatch,
        outputs=ubatch if embeds else min(slots, ubatch),
        key_type=str(given("cache_type_k", "f16")),
        value_type=str(given("cache_type_v", "f16")),
        flash=given("flash_attn", "auto") != "off",
        swa_full=bool(given("swa_full", False)),
        offload_kv=bool(given("kv_offload", True)),
        gpu_layers=_layers(given("gpu_layers")),
        split_mode=str(given("split_mode", "layer")),
        tensor_split=tuple(float(share) for share in _items(given("tensor_split"))),
        main_gpu=_integer(given("main_gpu"), 0),
        devices=_devices(given("device")),
        cpu_experts=on_cpu,
    )


def spelled_out(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """With what `custom_params` sets by flags, which llama-server reads last."""
    found = dict(settings)
    words = iter(pieces(PARAMETERS["custom_params"], settings.get("custom_params", "")))
    for word in words:
        parameter = BY_FLAG.get(word)
        if parameter is None or parameter.name not in RELEVANT:
            continue
        try:
            switch = parameter.kind == "switch" and parameter.words is None
            found[parameter.name] = word in parameter.flags if switch else parse(parameter.name, next(words, ""))
        except (BadRequest, Refused):
            continue  # llama-server will say what is wrong with it
    return found


def draft_settings(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Those that a draft model is loaded with: the model's own, but for what a draft has of its own."""
    own = {
        "cache_type_k": "cache_type_k_draft",
        "cache_type_v": "cache_type_v_draft",
        "gpu_layers": "n_gpu_layers_draft",
        "device": "device_draft",
        "cpu_moe": "cpu_moe_draft",
        "n_cpu_moe": "n_cpu_moe_draft",
    }
    kept = {name: value for name, value in settings.items() if name not in own}
    return kept | {name: settings[source] for name, source in own.items() if source in settings}


def _integer(value: Setting | None, default: int) -> int:
    return default if value is None else int(value)


def _layers(value: Setting | None) -> int | None:
    return None if value in (None, "auto", "all") or int(str(value)) < 0 else int(str(value))


def _items(value: Setting | None) -> list[str]:
    return [] if value is None else [item.strip() for item in str(value).split(",") if item.strip()]


def _devices(value: Setting | None) -> tuple[str, ...] | None:
    names = _items(value)
    return None if not names else () if names == ["none"] else tuple(names)
