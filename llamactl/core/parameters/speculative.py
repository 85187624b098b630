"""Adapters, control vectors, and guessing ahead: with a draft model or from what was said before."""

from collections.abc import Iterator

from llamactl.core.parameters.parameter import (
    CACHE_TYPES,
    CPU_MASK,
    CPU_RANGE,
    GPU_LAYERS,
    SCALED,
    TENSORS,
    Parameter,
    bit,
    choice,
    integer,
    number,
    path,
    several,
    share,
    switch,
    table,
    text,
    threads,
    tokens,
)

_TYPES = (
    "none draft-simple draft-eagle3 draft-mtp draft-dflash draft-dspark "
    "ngram-simple ngram-map-k ngram-map-k4v ngram-mod ngram-cache"
)
_CONTEXT = "the draft model has the context of the model itself"
_URL = "download the file and set model_draft, or set hf_repo_draft"
_REPLACE = "draft models need the model's own vocabulary now"


def _ngrams(kind: str) -> Iterator[Parameter]:
    name, flag = f"spec_ngram_{kind.replace('-', '_')}", f"--spec-ngram-{kind}"
    yield tokens(f"{name}_size_n", f"{flag}-size-n", f"{kind}: tokens to look for", least=1, most=1024)
    yield tokens(f"{name}_size_m", f"{flag}-size-m", f"{kind}: tokens to guess", least=1, most=1024)
    yield integer(f"{name}_min_hits", f"{flag}-min-hits", f"{kind}: found at least so often", least=1)


LORA = table(
    "lora",
    several("lora", "--lora", "files of LoRA adapters", item="path"),
    several("lora_scaled", "--lora-scaled", "files of LoRA adapters, each with its weight", **SCALED),
    several("control_vector", "--control-vector", "files of control vectors", item="path"),
    several(
        "control_vector_scaled", "--control-vector-scaled", "files of control vectors, each with its weight", **SCALED
    ),
    several(
        "control_vector_layer_range",
        "--control-vector-layer-range",
        "first and last layer that control vectors are applied to",
        item="int",
        least=0,
        items=(2, 2),
        form="START,END",
        passing="spread",
    ),
    path("model_draft", "--spec-draft-model --model-draft -md", "the file of the draft model"),
    text("model_url_draft", "--model-url-draft -mud", "download the draft model from here", gone=_URL),
    tokens("ctx_size_draft", "--ctx-size-draft -cd", "context of the draft model", gone=_CONTEXT),
    threads("threads_draft", "--spec-draft-threads --threads-draft -td", "threads of the draft model"),
    threads(
        "threads_batch_draft",
        "--spec-draft-threads-batch --threads-batch-draft -tbd",
        "threads of the draft model for prompts",
    ),
    tokens("draft_max", "--spec-draft-n-max --draft-max --draft-n --draft", "most tokens to guess"),
    tokens("draft_min", "--spec-draft-n-min --draft-min --draft-n-min", "least tokens to guess"),
    share("draft_p_min", "--spec-draft-p-min --draft-p-min", "guess on while at least so probable"),
    choice(
        "cache_type_k_draft",
        "--spec-draft-type-k --cache-type-k-draft -ctkd",
        "type of its cached keys",
        choices=CACHE_TYPES,
    ),
    choice(
        "cache_type_v_draft",
        "--spec-draft-type-v --cache-type-v-draft -ctvd",
        "type of its cached values",
        choices=CACHE_TYPES,
    ),
    switch("cpu_moe_draft", "--spec-draft-cpu-moe --cpu-moe-draft -cmoed", "keep all its experts in the host's memory"),
    integer(
        "n_cpu_moe_draft",
        "--spec-draft-n-cpu-moe --spec-draft-ncmoe --n-cpu-moe-draft -ncmoed",
        "keep the experts of so many of its layers in the host's memory",
        least=0,
        most=512,
        unit="layers",
    ),
    integer(
        "n_gpu_layers_draft",
        "--spec-draft-ngl --gpu-layers-draft --n-gpu-layers-draft -ngld",
        "its layers to keep in GPU memory",
        **GPU_LAYERS,
    ),
    several("device_draft", "--spec-draft-device --device-draft -devd", "devices for it; none: the CPU alone"),
    several(
        "spec_replace",
        "--spec-replace",
        "a text of the model, and the draft model's for it",
        items=(2, 2),
        form="TARGET,DRAFT",
        passing="spread",
        gone=_REPLACE,
    ),
    switch("lora_init_without_apply", "--lora-init-without-apply", "load adapters without applying them"),
    several("spec_type", "--spec-type", "how to guess ahead", choices=_TYPES),
    switch("spec_default", "--spec-default", "guess ahead as llama-server thinks best"),
    number(
        "spec_draft_p_split",
        "--spec-draft-p-split --draft-p-split",
        "split a guess at this probability",
        least=0,
        most=1,
    ),
    switch(
        "spec_draft_backend_sampling",
        "--spec-draft-backend-sampling",
        "sample guesses on the GPU",
        off="--no-spec-draft-backend-sampling",
    ),
    several(
        "spec_draft_override_tensor",
        "--spec-draft-override-tensor --override-tensor-draft -otd",
        "where to keep tensors of the draft model",
        **TENSORS,
    ),
    text(
        "spec_draft_cpu_mask",
        "--spec-draft-cpu-mask --cpu-mask-draft -Cd",
        "mask of the CPUs of the draft model",
        **CPU_MASK,
    ),
    text("spec_draft_cpu_range", "--spec-draft-cpu-range --cpu-range-draft -Crd", "range of its CPUs", **CPU_RANGE),
    bit("spec_draft_cpu_strict", "--spec-draft-cpu-strict --cpu-strict-draft", "each of its threads keeps to its CPU"),
    integer(
        "spec_draft_prio", "--spec-draft-prio --prio-draft", "its priority, 0 to 3 as in priority", least=0, most=3
    ),
    bit("spec_draft_poll", "--spec-draft-poll --poll-draft", "its threads wait busily for work"),
    text(
        "spec_draft_cpu_mask_batch",
        "--spec-draft-cpu-mask-batch --cpu-mask-batch-draft -Cbd",
        "the mask for prompts",
        **CPU_MASK,
    ),
    bit(
        "spec_draft_cpu_strict_batch", "--spec-draft-cpu-strict-batch --cpu-strict-batch-draft", "the same for prompts"
    ),
    integer(
        "spec_draft_prio_batch",
        "--spec-draft-prio-batch --prio-batch-draft",
        "the priority for prompts",
        least=0,
        most=3,
    ),
    bit("spec_draft_poll_batch", "--spec-draft-poll-batch --poll-batch-draft", "wait busily for work on prompts"),
    tokens("spec_ngram_mod_n_min", "--spec-ngram-mod-n-min", "ngram-mod: least tokens to guess", most=1024),
    tokens("spec_ngram_mod_n_max", "--spec-ngram-mod-n-max", "ngram-mod: most tokens to guess", most=1024),
    tokens("spec_ngram_mod_n_match", "--spec-ngram-mod-n-match", "ngram-mod: tokens to look for", least=1, most=1024),
    *_ngrams("simple"),
    *_ngrams("map-k"),
    *_ngrams("map-k4v"),
    path("lookup_cache_static", "--lookup-cache-static -lcs", "a file to guess from, left as it is"),
    path("lookup_cache_dynamic", "--lookup-cache-dynamic -lcd", "a file to guess from, kept up to date"),
)
