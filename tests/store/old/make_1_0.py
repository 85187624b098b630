"""Makes `1.0.db`, a database of schema 1.0: run it with the code of the last commit that wrote that version.

    git worktree add ../old 42feae7
    PYTHONPATH=../old python tests/store/old/make_1_0.py tests/store/old/1.0.db

Version 1.0 kept all settings of a model as one JSON object, under any name that somebody chose.
"""

import itertools
import sys
from pathlib import Path

from llamactl.core.model import Model
from llamactl.store import Database

MODELS = (
    Model(name="plain", path="/m/plain.gguf", size=1234),
    Model(
        name="qwen3:8b",
        path="/m/qwen.gguf",
        size=5_000_000_000,
        aliases=("qwen", "big"),
        settings={
            "ctx_size": 4096,
            "mmap": False,
            "temperature": 0.5,
            "gpu_layers": "all",
            "chat_template": "chatml",
            "jinja": True,
            "extra": "--keep 5",
            "of_a_plugin": "kept",
        },
    ),
    Model(name="zürich", path="/m/zürich.gguf", size=7, settings={"threads": 2, "flash_attn": "on"}),
)

if __name__ == "__main__":
    clock = itertools.count(1_750_000_000)
    with Database(Path(sys.argv[1]), now=lambda: float(next(clock))) as db:
        for model in MODELS:
            db.models.put(model)
