"""What a value means, in the file and in the environment."""

import os
from pathlib import Path

import msgspec
import pytest

from llamactl.config.sections import SECTIONS
from llamactl.config.values import Address, SecretUrl, Tier, untext
from llamactl.config.values import read as value
from llamactl.core.errors import BadRequest

from .reading import Write, read


def test_the_defaults() -> None:
    config = read()
    assert (config.http.host, config.http.port, config.http.max_body) == ("127.0.0.1", 8134, 100 << 20)
    assert (config.residency.ttl, config.residency.margin, config.residency.memory) == (900.0, 1 << 30, None)
    assert (config.restart.first, config.restart.longest, config.logging.max_size) == (1.0, 60.0, 20 << 20)
    assert config.llama_server.settings() == {}
    assert config.metrics.tiers == (Tier(60, 86400), Tier(900, 30 * 86400))


def test_every_default_is_what_its_type_says() -> None:
    for kind in SECTIONS.values():
        assert msgspec.convert(msgspec.to_builtins(kind()), kind) == kind()


def test_units_paths_and_lists(write: Write) -> None:
    path = write(
        """
        [http]
        listen = ["0.0.0.0:80", "unix:///x.sock"]
        tls_cert = "cert.pem"
        [models]
        directories = ["~/models", "here", "/there"]
        [llama_server]
        path = "llama-server-vulkan"
        gpu_layers = "all"
        threads = 4
        [residency]
        memory = "12GiB"
        ttl = -1
        drain = 1.5
        devices = { cuda0 = "8GiB", cuda1 = 4096 }
        [access]
        rate = "2/s"
        [metrics]
        tiers = ["1m:1h"]
        [logging]
        console_level = "debug"
        """
    )
    config = read(path)
    assert config.http.listen == ("0.0.0.0:80", "unix:///x.sock")
    assert config.http.tls_cert == str(path.parent / "cert.pem")
    assert config.models.directories == (os.path.expanduser("~/models"), str(path.parent / "here"), "/there")  # noqa: PTH111
    assert config.llama_server.path == "llama-server-vulkan"
    assert config.llama_server.settings() == {"gpu_layers": "all", "threads": 4}
    assert (config.residency.memory, config.residency.ttl, config.residency.drain) == (12 << 30, -1.0, 1.5)
    assert config.residency.devices == {"cuda0": 8 << 30, "cuda1": 4096}
    assert (config.access.rate, config.metrics.tiers) == (120.0, (Tier(60, 3600),))
    assert config.directories.config_file == path


def test_an_empty_text_unsets_what_may_be_unset(write: Write) -> None:
    config = read(write('[llama_server]\npath = ""\n[residency]\nmemory = ""'))
    assert config.llama_server.path is None and config.residency.memory is None


def test_the_environment_says_it_in_text() -> None:
    config = read(
        LLAMACTL_HTTP_PORT="0",
        LLAMACTL_HTTP_LISTEN="127.0.0.1:9001:unix:///x.sock:[::1]:80",
        LLAMACTL_MODELS_WATCH="false",
        LLAMACTL_MODELS_DIRECTORIES="/a:/b,c:",
        LLAMACTL_LLAMA_SERVER_GPU_LAYERS="99",
        LLAMACTL_LLAMA_SERVER_PATH="",
        LLAMACTL_RESIDENCY_DEVICES="cuda0=8GiB:cuda1=1g",
        LLAMACTL_RESIDENCY_TTL="1h30m",
        LLAMACTL_RESTART_FACTOR="1.5",
        LLAMACTL_RESTART_CRASHES="",
    )
    assert config.http.port == 0
    assert config.http.listen == ("127.0.0.1:9001", "unix:///x.sock", "[::1]:80")
    assert config.models.watch is False and config.models.directories == ("/a", "/b,c")
    assert config.llama_server.settings() == {"gpu_layers": 99} and config.llama_server.path is None
    assert config.residency.devices == {"cuda0": 8 << 30, "cuda1": 1 << 30}
    assert (config.residency.ttl, config.restart.factor, config.restart.crashes) == (5400.0, 1.5, 5)


@pytest.mark.parametrize(
    "text, addresses",
    [
        ("0.0.0.0:80:[::1]:80,host:1:unix:///a:b:2", ["0.0.0.0:80", "[::1]:80", "host:1", "unix:///a", "b:2"]),
        ("https://a.example:8443:http://b:*", ["https://a.example:8443", "http://b", "*"]),
        ("localhost:llama.lan", ["localhost", "llama.lan"]),
        ("", []),
    ],
)
def test_addresses_keep_their_own_colons(text: str, addresses: list[str]) -> None:
    assert untext(tuple[Address, ...], text) == addresses


def test_other_variables_that_begin_so_are_left_alone() -> None:
    read(LLAMACTL_HOST="unix:///x", LLAMACTL_API_KEY="llk_1", LLAMACTL_COLOUR="x", LLAMACTL_HTTP="x")


@pytest.mark.parametrize("text", ["", "ftp://h/", "https://", "https://h/ x", "https://user:pass@h/", 7])
def test_a_url_that_cannot_be_posted_to(text: object) -> None:
    with pytest.raises(BadRequest) as caught:
        value(SecretUrl, text, Path("/"))
    assert "pass" not in caught.value.message


def test_a_url() -> None:
    assert value(SecretUrl | None, "https://h:1/a?b=c", Path("/")) == "https://h:1/a?b=c"
    assert value(SecretUrl | None, "", Path("/")) is None
