"""Where the model comes from, its context, its threads; its memory; its GPUs."""

from llamactl.core.parameters.parameter import (
    CACHE_TYPES,
    CPU_MASK,
    CPU_RANGE,
    GPU_LAYERS,
    bit,
    choice,
    idleness,
    integer,
    number,
    path,
    several,
    switch,
    table,
    text,
    threads,
    tokens,
)

_OURS = "it is the model's file: llamactl models add FILE"
_NAME = "it is the model's name: llamactl models rename OLD NEW"
_LISTS = "it makes llama-server print and exit: llamactl devices"
_CPUS = "of the CPUs it runs on"
_PRESETS = (
    "embd-gemma-default fim-qwen-1.5b-default fim-qwen-3b-default fim-qwen-7b-default fim-qwen-7b-spec "
    "fim-qwen-14b-spec fim-qwen-30b-default gpt-oss-20b-default gpt-oss-120b-default vision-gemma-4b-default "
    "vision-gemma-12b-default"
)

MODEL = table(
    "model",
    path("server_path", "", "the llama-server to run it with", ours=True),
    path("model_path", "--model -m", "the GGUF file", never=_OURS),
    text("model_url", "--model-url -mu", "download the model from here to the model's file"),
    text("docker_repo", "--docker-repo -dr", "take the model from Docker Hub", form="[REPO/]MODEL[:QUANT]"),
    text("hf_repo", "--hf-repo -hf -hfr", "take the model from Hugging Face", form="USER/MODEL[:QUANT]"),
    text("hf_repo_draft", "--spec-draft-hf --hf-repo-draft -hfd -hfrd", "take the draft model from Hugging Face"),
    text("hf_file", "--hf-file -hff", "the file in hf_repo, rather than the one of the quantisation"),
    text("hf_file_v", "--hf-file-v -hffv", "the vocoder's file", gone="llama-server has no vocoder any more"),
    text("hf_token", "--hf-token -hft", "the token for Hugging Face", environment="HF_TOKEN"),
    choice(
        "one_shot_preset",
        " ".join(f"--{preset}" for preset in _PRESETS.split()),
        "a model with settings that llama-server knows by itself, and downloads",
        choices=_PRESETS,
    ),
    tokens("ctx_size", "--ctx-size -c", "size of the context, for all slots; 0: the model's own"),
    tokens("predict", "--predict --n-predict -n", "tokens to generate; -1: no limit", least=-1),
    tokens("batch_size", "--batch-size -b", "tokens of prompts taken on at once", least=1),
    tokens("ubatch_size", "--ubatch-size -ub", "tokens computed at once", least=1),
    integer("n_parallel", "--parallel -np", "slots; -1: llama-server decides", choices="-1", least=1, unit="slots"),
    switch("cont_batching", "--cont-batching -cb", "work on all slots at once", off="--no-cont-batching -nocb"),
    threads("threads", "--threads -t", "threads that generate; -1: llama-server decides"),
    threads("threads_batch", "--threads-batch -tb", "threads that read prompts; -1: as many as threads"),
    text("cpu_mask", "--cpu-mask -C", f"mask {_CPUS}", **CPU_MASK),
    text("cpu_range", "--cpu-range -Cr", f"range {_CPUS}", **CPU_RANGE),
    bit("cpu_strict", "--cpu-strict", "each thread keeps to its CPU"),
    text("cpu_mask_batch", "--cpu-mask-batch -Cb", f"mask {_CPUS} for prompts", **CPU_MASK),
    text("cpu_range_batch", "--cpu-range-batch -Crb", f"range {_CPUS} for prompts", **CPU_RANGE),
    bit("cpu_strict_batch", "--cpu-strict-batch", "each thread that reads prompts keeps to its CPU"),
    integer("priority", "--prio", "-1 low, 0 normal, 1 medium, 2 high, 3 realtime", least=-1, most=3),
    integer("priority_batch", "--prio-batch", "the same for prompts, from 0 on", least=0, most=3),
    tokens("keep", "--keep", "tokens of the first prompt to keep when the context shifts; -1: all", least=-1),
    text("alias", "--alias -a", "the names that the API answers to", never=_NAME),
    several("tags", "--tags", "words about the model, told by its API"),
    idleness("ttl", help="how long it stays loaded when idle; 0: until its last answer, -1: for ever"),
    switch("pinned", "", "it is never evicted once it is loaded", ours=True),
)

MEMORY = table(
    "memory",
    integer("cache_ram", "--cache-ram -cram", "memory for cached prompts; -1: no limit, 0: none", least=-1, unit="MiB"),
    choice("cache_type_k", "--cache-type-k -ctk", "type of the cached keys", choices=CACHE_TYPES),
    choice("cache_type_v", "--cache-type-v -ctv", "type of the cached values", choices=CACHE_TYPES),
    choice(
        "load_mode", "--load-mode -lm", "how the file gets into memory", choices="auto none mmap mlock mmap+mlock dio"
    ),
    switch("mmap", "--mmap", "map the file into memory; load_mode overrules it", off="--no-mmap"),
    switch("mlock", "--mlock", "keep the model from being swapped out; load_mode overrules it"),
    switch(
        "direct_io", "--direct-io -dio", "read past the page cache; load_mode overrules it", off="--no-direct-io -ndio"
    ),
    choice("numa", "--numa", "how to use several memory nodes", choices="distribute isolate numactl"),
    number("defrag_thold", "--defrag-thold -dt", "does nothing any more", gone="it had no effect"),
)

GPU = table(
    "gpu",
    several("device", "--device -dev", "devices to use; none: the CPU alone"),
    switch("list_devices", "--list-devices", "print the devices", never=_LISTS),
    integer("gpu_layers", "--gpu-layers --n-gpu-layers -ngl", "layers to keep in GPU memory", **GPU_LAYERS),
    choice("split_mode", "--split-mode -sm", "how to share a model among GPUs", choices="none layer row tensor"),
    several("tensor_split", "--tensor-split -ts", "shares of the GPUs", item="float", least=0, items=(1, 16)),
    integer("main_gpu", "--main-gpu -mg", "the GPU that has what is not shared", least=0),
    switch("kv_offload", "--kv-offload -kvo", "keep the KV cache on the GPU", off="--no-kv-offload -nkvo"),
    switch("repack", "--repack", "rearrange weights for this CPU", off="--no-repack -nr"),
    switch("no_host", "--no-host", "go without the host's buffer, so that others may be used"),
)
