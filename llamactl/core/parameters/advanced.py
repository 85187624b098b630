"""What few models need: the fine points of loading, the form of answers, images."""

from llamactl.core.parameters.parameter import (
    TENSORS,
    arguments,
    bit,
    choice,
    integer,
    path,
    several,
    switch,
    table,
    text,
    tokens,
)

_OVERRIDE: dict[str, str] = {"pattern": "[^=]+=(int|float|bool|str):.*", "form": "KEY=TYPE:VALUE"}

ADVANCED = table(
    "advanced",
    switch("swa_full", "--swa-full", "keep the whole cache of sliding windows"),
    several("override_tensor", "--override-tensor -ot", "where to keep tensors", **TENSORS),
    switch("cpu_moe", "--cpu-moe -cmoe", "keep all experts in the host's memory"),
    integer(
        "n_cpu_moe",
        "--n-cpu-moe -ncmoe",
        "keep the experts of so many layers in the host's memory",
        least=0,
        most=512,
        unit="layers",
    ),
    switch("kv_unified", "--kv-unified -kvu", "one KV cache for all slots", off="--no-kv-unified -no-kvu"),
    choice("pooling", "--pooling", "how embeddings are made of tokens", choices="none mean cls last rank"),
    switch("context_shift", "--context-shift", "generate on when the context is full", off="--no-context-shift"),
    several("rpc", "--rpc", "other machines to compute on", pattern=r".+:\d+", form="HOST:PORT"),
    switch("offline", "--offline", "take nothing from the network"),
    several("override_kv", "--override-kv", "metadata of the model to replace", **_OVERRIDE),
    switch("op_offload", "--op-offload", "let the GPU compute what lies in the host's memory", off="--no-op-offload"),
    choice("fit", "--fit -fit", "make what is not set fit into memory", choices="on off"),
    several(
        "fit_target",
        "--fit-target -fitt",
        "memory to leave free, for all devices or each",
        item="int",
        least=0,
        unit="MiB",
    ),
    tokens("fit_ctx", "--fit-ctx -fitc", "least context that fit may choose"),
    switch("check_tensors", "--check-tensors", "look for invalid values while loading"),
    integer(
        "sleep_idle_seconds",
        "--sleep-idle-seconds",
        "free the memory when idle for so long; -1: never",
        choices="-1",
        least=1,
        unit="seconds",
    ),
    integer("polling", "--poll", "how busily to wait for work; 0: sleep", least=0, most=100),
    bit("polling_batch", "--poll-batch", "wait busily for work on prompts"),
    choice(
        "reasoning_format",
        "--reasoning-format",
        "what to do with thoughts",
        choices="none deepseek deepseek-legacy auto",
    ),
    tokens("reasoning_budget", "--reasoning-budget", "tokens for thoughts; -1: no limit, 0: none", least=-1),
    arguments("custom_params", "", "more arguments, as a shell would read them"),
    choice("reasoning", "--reasoning -rea", "think before answering", choices="on off auto"),
    text(
        "reasoning_effort",
        "--reasoning-effort",
        "how much to think: default, minimal, low, medium, high …",
        pattern=r"\S+",
        form="a word",
    ),
    text("reasoning_budget_message", "--reasoning-budget-message", "said before thoughts are cut short"),
    switch(
        "reasoning_preserve",
        "--reasoning-preserve",
        "keep earlier thoughts in the conversation",
        off="--no-reasoning-preserve",
    ),
    switch("skip_chat_parsing", "--skip-chat-parsing", "leave answers as they are", off="--no-skip-chat-parsing"),
    switch("special", "--special -sp", "show special tokens in answers"),
    integer(
        "embd_normalize",
        "--embd-normalize",
        "-1: none, 0: max absolute, 1: taxicab, 2: euclidean, more: p-norm",
        least=-1,
    ),
    switch("perf", "--perf", "measure times inside llama.cpp", off="--no-perf"),
)

MULTIMODAL = table(
    "multimodal",
    path("mmproj", "--mmproj -mm", "the file of the multimodal projector"),
    text("mmproj_url", "--mmproj-url -mmu", "download the projector from here"),
    switch(
        "mmproj_auto", "--mmproj-auto", "use the projector that belongs to hf_repo", off="--no-mmproj-auto --no-mmproj"
    ),
    switch("mmproj_offload", "--mmproj-offload", "run the projector on the GPU", off="--no-mmproj-offload"),
    tokens("image_min_tokens", "--image-min-tokens", "least tokens of an image"),
    tokens("image_max_tokens", "--image-max-tokens", "most tokens of an image"),
    tokens("mtmd_batch_max_tokens", "--mtmd-batch-max-tokens", "tokens of images computed at once", least=1),
)
