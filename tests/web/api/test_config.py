"""`/api/config`."""

from typing import Any

import pytest

from llamactl.core.access import Caller
from llamactl.core.errors import BadRequest
from llamactl.rpc.calls import ConfigRow, Configuration, ConfigWritten, SetConfig, ShowConfig
from tests.web.api.test_models import Daemon

ADMIN = Caller("k", "n", "admin")
PATH = "/api/config"
VALUES = {
    "http.host": "127.0.0.1",
    "http.port": 8134,
    "models.directories": ["/m", "/n"],
    "llama_server.path": None,
    "llama_server.ctx_size": 4096,
    "llama_server.batch_size": None,
    "llama_server.threads": None,
    "llama_server.gpu_layers": "auto",
    "residency.max_models": 2,
    "access.jwt_secret": None,
    "logging.console_level": "warn",
}
NOW = Configuration(file="/c", keys=[ConfigRow(key, value, "") for key, value in VALUES.items()])


def test_what_counts() -> None:
    data = Daemon(ShowConfig=NOW).ask(PATH)
    assert data["serverConfig"] == {
        "host": "127.0.0.1",
        "port": 8134,
        "basePath": "/m",
        "serverPath": None,
        "ctx_size": 4096,
        "batch_size": None,
        "threads": None,
        "gpu_layers": "auto",
    }
    assert data["appConfig"] == {"maxConcurrentModels": 2, "logLevel": "warn"}
    assert data["config"]["models"] == {"directories": ["/m", "/n"]}
    assert "access" not in data["config"], "what is not set, or a secret, is not there"
    assert (data["file"], data["restartFor"]) == ("/c", [])


@pytest.mark.parametrize(
    ("body", "call"),
    [
        ({}, SetConfig()),
        (
            {"serverConfig": {"port": 1, "basePath": "/x"}},
            SetConfig({"http.port": 1, "models.directories": ["/x", "/n"]}),
        ),
        (
            {"serverConfig": {"threads": -1, "gpu_layers": 9}},
            SetConfig({"llama_server.gpu_layers": 9}, ("llama_server.threads",)),
        ),
        ({"appConfig": {"maxConcurrentModels": 3}}, SetConfig({"residency.max_models": 3})),
        (
            {"appConfig": {"logLevel": "verbose"}},
            SetConfig({"logging.console_level": "debug", "logging.file_level": "debug"}),
        ),
        (
            {"config": {"residency": {"ttl": "9m", "memory": None}}},
            SetConfig({"residency.ttl": "9m"}, ("residency.memory",)),
        ),
        ({"serverConfig": {"port": 1}, "config": {"http": {"port": 1}}}, SetConfig({"http.port": 1})),
        (
            {
                "serverConfig": {"basePath": "/m", "port": 8134},
                "appConfig": {"maxConcurrentModels": 2, "logLevel": "warn"},
            },
            SetConfig(),
        ),
    ],
)
def test_what_is_written(body: object, call: SetConfig) -> None:
    written = ConfigWritten(file="/c", changed=("residency.ttl",), hidden_by=("LLAMACTL_HTTP_PORT",))
    daemon = Daemon(SetConfig=written, ShowConfig=NOW)
    data = daemon.ask(PATH, "POST", body, ADMIN)
    assert daemon.asked == [ShowConfig(), call, ShowConfig()]
    assert (data["changed"], data["hiddenBy"]) == (["residency.ttl"], ["LLAMACTL_HTTP_PORT"])
    assert data["appConfig"]["maxConcurrentModels"] == 2, "and what counts now"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"serverConfig": {"port": 70_000}}, "body.serverConfig.port"),
        ({"serverConfig": {"colour": "red"}}, "body.serverConfig"),
        ({"appConfig": {"logLevel": "loud"}}, "body.appConfig.logLevel"),
        ({"serverConfig": {"port": 1}, "config": {"http": {"port": 2}}}, "body.config.http.port"),
        ({"config": []}, "body.config"),
    ],
)
def test_what_does_not_fit(body: Any, place: str) -> None:
    assert Daemon(ShowConfig=NOW).ask(PATH, "POST", body, ADMIN) == (400, "bad_request", place)


def test_what_the_daemon_refuses() -> None:
    daemon = Daemon(SetConfig=BadRequest("unknown key http.prt", "did you mean http.port?"), ShowConfig=NOW)
    body = {"config": {"http": {"prt": 1}}}
    assert daemon.ask(PATH, "POST", body, ADMIN) == (400, "bad_request", "did you mean http.port?")
