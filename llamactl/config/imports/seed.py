"""The three JSON files of the dashboard that llamactl takes the place of."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from llamactl.config.imports.ledger import Ledger
from llamactl.config.imports.report import Imported
from llamactl.config.sources import types

Document = Mapping[str, Any]

SERVER = ("host", "port", "basePath", "serverPath", "ctx_size", "batch_size", "threads", "gpu_layers")
APP = ("maxConcurrentModels", "logLevel", "autoUpdate", "notificationsEnabled")
TEMPLATES = ("default_model", "model_templates")

_LOOPBACK = ("127.0.0.1", "::1")
_NAMES = {"llama-2": "llama2", "llama-3": "llama3"}
_OF_THE_PAGE = {f"llama-{size}" for size in ("2-7b", "2-13b", "3-8b", "3-70b")} | {
    f"mistral-7b{kind}" for kind in ("", "-instruct", "-uncensored")
}
"""Templates that the web page adds by itself; none of them exists in llama-server."""


def server_config(document: Document, base: Path, present: Callable[[str], bool]) -> Imported:
    """`llama-server-config.json`. `present` says whether there is such a file on this machine."""
    ledger = Ledger("llama-server-config.json", base)
    for field, value in document.items():
        match field:
            case "host":
                _host(ledger, value)
            case "basePath" if isinstance(value, str):
                directory = str(base / Path(value).expanduser()) if value else ""
                ledger.key(field, "models.directories", [directory], "several directories are possible here")
            case "serverPath" if isinstance(value, str) and "/" in value and not present(value):
                ledger.left(field, f"there is no {value} here; llamactl looks for llama-server itself")
            case "serverPath":
                ledger.key(field, "llama_server.path", value)
            case "threads" | "gpu_layers" if value == -1:
                ledger.translated(field, "not set", "-1 left it to llama-server")
            case "port":
                ledger.key(field, "http.port", value)
            case _ if field in types("llama_server"):
                ledger.key(field, f"llama_server.{field}", value)
            case _:
                ledger.left(field, "llamactl knows no such setting")
    return ledger.close()


def app_config(document: Document, base: Path) -> Imported:
    """`app-config.json`."""
    ledger = Ledger("app-config.json", base)
    for field, value in document.items():
        match field:
            case "maxConcurrentModels":
                ledger.key(field, "residency.max_models", value)
            case "logLevel":
                level = "debug" if value == "verbose" else value
                for key in ("logging.console_level", "logging.file_level"):
                    ledger.key(field, key, level, "console and files have a level each")
            case "autoUpdate":
                ledger.left(field, "llamactl does not update itself")
            case "notificationsEnabled":
                ledger.left(field, "there is no page to show notifications on; see llamactl events")
            case _:
                ledger.left(field, "llamactl knows no such setting")
    return ledger.close()


def model_templates(document: Document, base: Path) -> Imported:
    """`model-templates.json`."""
    ledger = Ledger("model-templates.json", base)
    for field, value in document.items():
        match field:
            case "default_model" if value is None:
                ledger.translated(field, "not set", "there was none")
            case "default_model":
                ledger.key(field, "models.default", value)
            case "model_templates" if isinstance(value, Mapping):
                for model, template in value.items():
                    _template(ledger, str(model), template)
            case "model_templates":
                ledger.invalid(field, "expected templates by model")
            case _:
                ledger.left(field, "llamactl knows no such setting")
    return ledger.close()


def _host(ledger: Ledger, value: object) -> None:
    if value == "localhost":
        ledger.key("host", "http.host", "127.0.0.1", "an address rather than a name")
    elif value in _LOOPBACK or not isinstance(value, str) or not value:
        ledger.key("host", "http.host", value)  # type: ignore[arg-type]  # looked at there
    else:
        ledger.left(
            "host", f"{value} is open to the network; when there is a key: llamactl config set http.host {value}"
        )


def _template(ledger: Ledger, model: str, template: object) -> None:
    what = f"model_templates.{model}"
    if not isinstance(template, str) or not template:
        ledger.invalid(what, "expected the name of a template")
    elif template in _OF_THE_PAGE:
        ledger.left(what, f"llama-server has no template {template}; it takes the one in the model's file")
    else:
        name = _NAMES.get(template, template)
        ledger.templates[model] = name
        ledger.translated(what, f"llamactl templates set {model} {name}", "the template is llama-server's now")
