"""What one GGUF file says of the model in it.

Read by ourselves: the `gguf` package turns every token of the vocabulary into an object and takes seconds for it,
while this walks over them in milliseconds. Nothing here knows of other files, names or the catalogue.

Layout: the GGUF specification in ggml's `docs/gguf.md`, and llama.cpp's `gguf.cpp`, which decides what loads.
A file is the 24 bytes of `opening`, then values by key and the tensors' descriptions (`header`, through the window
of `window`), then the tensors. `meaning` makes `Facts` of it, with the numbers of `types`.
"""

from llamactl.catalogue.gguf.opening import Header, NotUsable, check, has_magic, printable, regular, unreadable
from llamactl.catalogue.gguf.reading import fingerprint, read, read_all

__all__ = [
    "Header",
    "NotUsable",
    "check",
    "fingerprint",
    "has_magic",
    "printable",
    "read",
    "read_all",
    "regular",
    "unreadable",
]
