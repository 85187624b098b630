"""What a model's file says of the model."""

import msgspec


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Read from the header of a GGUF file; what the header does not tell is as here.

    Lengths and counts are as the file gives them. `heads`, `kv_heads` and `feed_forward` have one number for each
    layer, or a single one that holds for all. `layer_bytes` are the bytes of the tensors of each layer on disk,
    `input_bytes` those of the token embeddings, `output_bytes` of everything else; of a split file they are the sums
    over its parts. `key_length` and `value_length` are numbers per head. `modalities` are `text`, `image`, `audio`
    as input.
    """

    architecture: str = ""
    title: str = ""
    parameters: int | None = None
    size_label: str = ""
    quantisation: str = ""
    licence: str = ""
    context_length: int | None = None
    vocabulary: int | None = None
    embedding_length: int | None = None
    layers: int | None = None
    feed_forward: tuple[int, ...] = ()
    heads: tuple[int, ...] = ()
    kv_heads: tuple[int, ...] = ()
    key_length: int | None = None
    value_length: int | None = None
    sliding_window: int | None = None
    sliding_pattern: tuple[bool, ...] = ()
    experts: int | None = None
    experts_used: int | None = None
    ssm_conv_kernel: int | None = None
    ssm_inner_size: int | None = None
    ssm_state_size: int | None = None
    ssm_group_count: int | None = None
    chat_template: bool = False
    modalities: tuple[str, ...] = ("text",)
    layer_bytes: tuple[int, ...] = ()
    input_bytes: int = 0
    output_bytes: int = 0
