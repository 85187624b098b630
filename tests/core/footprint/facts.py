"""A model of 8 GB to reckon with, of the shape of Llama 3 8B in 8 bits."""

import msgspec

from llamactl.core.devices import Device
from llamactl.core.facts import Facts
from llamactl.core.footprint import Subject

GIB = 1 << 30
MIB = 1 << 20

LAYER, INPUT, OUTPUT = 220 * MIB, 530 * MIB, 531 * MIB
EIGHT = Facts(
    architecture="llama",
    layers=32,
    context_length=131072,
    vocabulary=128256,
    embedding_length=4096,
    feed_forward=(14336,),
    heads=(32,),
    kv_heads=(8,),
    key_length=128,
    value_length=128,
    layer_bytes=(LAYER,) * 32,
    input_bytes=INPUT,
    output_bytes=OUTPUT,
)
KV_PER_TOKEN = 32 * 8 * (128 + 128) * 2
"""128 KiB"""

BIG, SMALL = (Device(name=name, total=gib * GIB, free=gib * GIB) for name, gib in (("CUDA0", 24), ("CUDA1", 8)))


def like(**facts: object) -> Facts:
    return msgspec.structs.replace(EIGHT, **facts)


def subject(facts: Facts | None = EIGHT) -> Subject:
    return Subject(size=8 * GIB, facts=facts)
