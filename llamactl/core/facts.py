"""What a model's file says of the model."""

import msgspec


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Read from the header of a GGUF file; what the header does not tell is as here.

    `kind` is what the file calls itself: `model`, `mmproj` (a projector of images or sound), `adapter`, `imatrix`.

    Lengths and counts are as the file gives them; only `kv_heads`, `key_length` and `value_length` are, where it does
    not, what llama.cpp takes instead. `heads`, `kv_heads` and `feed_forward` have one number for each layer, or a
    single one that holds for all. `key_length` and `value_length` are numbers per head, with `_swa` those in the
    layers with a sliding window where they differ. `sliding_pattern` has one flag for each layer, true for a sliding
    window; many files leave it to llama.cpp to know the pattern of their architecture. With a
    `full_attention_interval` n, each n-th layer is one of attention and the others are recurrent. The last
    `shared_kv_layers` keep no cache of their own. The last `nextn_layers` of the `layers` only predict further tokens.

    `pooling` is as `--pooling` calls it, of a model for embeddings or reranking; `causal` is false for encoders.
    `modalities` are `text`, `image`, `audio` as input; of a projector those that it adds.

    Bytes are those of tensors on disk, of a split file the sums over its parts: `layer_bytes` for each layer,
    `expert_bytes` those among them of routed experts, `input_bytes` for the embeddings of tokens, `output_bytes` for
    everything else. With `tied_output` the embeddings are the output layer as well.
    """

    architecture: str = ""
    kind: str = "model"
    title: str = ""
    parameters: int | None = None
    size_label: str = ""
    quantisation: str = ""
    licence: str = ""
    context_length: int | None = None
    vocabulary: int | None = None
    embedding_length: int | None = None
    layers: int | None = None
    nextn_layers: int | None = None
    feed_forward: tuple[int, ...] = ()
    heads: tuple[int, ...] = ()
    kv_heads: tuple[int, ...] = ()
    key_length: int | None = None
    value_length: int | None = None
    key_length_swa: int | None = None
    value_length_swa: int | None = None
    kv_lora_rank: int | None = None
    rope_dimensions: int | None = None
    shared_kv_layers: int | None = None
    sliding_window: int | None = None
    sliding_pattern: tuple[bool, ...] = ()
    full_attention_interval: int | None = None
    experts: int | None = None
    experts_used: int | None = None
    expert_feed_forward: int | None = None
    ssm_conv_kernel: int | None = None
    ssm_inner_size: int | None = None
    ssm_state_size: int | None = None
    ssm_group_count: int | None = None
    ssm_time_step_rank: int | None = None
    wkv_head_size: int | None = None
    token_shift_count: int | None = None
    shortconv_cache: int | None = None
    causal: bool = True
    pooling: str = ""
    chat_template: bool = False
    modalities: tuple[str, ...] = ("text",)
    layer_bytes: tuple[int, ...] = ()
    expert_bytes: tuple[int, ...] = ()
    input_bytes: int = 0
    output_bytes: int = 0
    tied_output: bool = False
