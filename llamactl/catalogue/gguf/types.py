"""The numbers that a GGUF file has for types. Source: ggml's `ggml.h` and `ggml-common.h`, llama.cpp's `llama.h`."""

from typing import NamedTuple


class Packing(NamedTuple):
    """How tensors of a type are stored: `size` bytes for each `block` elements of a row."""

    name: str
    block: int
    size: int


TENSOR_TYPES = {
    0: Packing("F32", 1, 4),
    1: Packing("F16", 1, 2),
    2: Packing("Q4_0", 32, 18),
    3: Packing("Q4_1", 32, 20),
    6: Packing("Q5_0", 32, 22),
    7: Packing("Q5_1", 32, 24),
    8: Packing("Q8_0", 32, 34),
    9: Packing("Q8_1", 32, 36),
    10: Packing("Q2_K", 256, 84),
    11: Packing("Q3_K", 256, 110),
    12: Packing("Q4_K", 256, 144),
    13: Packing("Q5_K", 256, 176),
    14: Packing("Q6_K", 256, 210),
    15: Packing("Q8_K", 256, 292),
    16: Packing("IQ2_XXS", 256, 66),
    17: Packing("IQ2_XS", 256, 74),
    18: Packing("IQ3_XXS", 256, 98),
    19: Packing("IQ1_S", 256, 50),
    20: Packing("IQ4_NL", 32, 18),
    21: Packing("IQ3_S", 256, 110),
    22: Packing("IQ2_S", 256, 82),
    23: Packing("IQ4_XS", 256, 136),
    24: Packing("I8", 1, 1),
    25: Packing("I16", 1, 2),
    26: Packing("I32", 1, 4),
    27: Packing("I64", 1, 8),
    28: Packing("F64", 1, 8),
    29: Packing("IQ1_M", 256, 56),
    30: Packing("BF16", 1, 2),
    34: Packing("TQ1_0", 256, 54),
    35: Packing("TQ2_0", 256, 66),
    39: Packing("MXFP4", 32, 17),
    40: Packing("NVFP4", 64, 36),
    41: Packing("Q1_0", 128, 18),
}
"""Those of today. Others are no mistake: a newer or another llama.cpp has them."""

QUANTISATIONS = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4",
    39: "NVFP4",
    40: "Q1_0",
}
"""`general.file_type`: a mixture of tensor types, by the name that llama-quantize has for it."""

GUESSED = 1024
"""Added to a file type that was not told to the converter."""

POOLINGS = {0: "none", 1: "mean", 2: "cls", 3: "last", 4: "rank"}
"""As `--pooling` of llama-server calls them."""
