"""Values for every setting, made from what the table says about it."""

from collections.abc import Iterator
from pathlib import Path

from llamactl.core.model import Setting
from llamactl.core.parameters import PARAMETERS, Parameter, parse

FILES = {
    "grammar_file": 'root ::= "yes" | "no"',
    "chat_template_file": "{{ messages }}",
}
"""What llama-server reads at once; any other file may be an empty JSON object."""

TEXTS = {
    "device": "none",
    "device_draft": "none",
    "grammar": 'root ::= "yes" | "no"',
    "chat_template": "chatml",
    "custom_params": "--verbose-prompt 'two words'",
    "rpc": "127.0.0.1:1",
    "lora_scaled": "/adapter.gguf:0.5",
    "control_vector_scaled": "/vector.gguf:-1",
    "override_kv": "tokenizer.ggml.add_bos_token=bool:false,general.name=str:x",
    "override_tensor": r"blk\.0\.=CPU,blk\.1\.=CPU",
    "spec_draft_override_tensor": r"blk\.0\.=CPU",
    "logit_bias": "15043+1,15044-0.5,2-inf",
    "samplers": "top_k;temperature",
    "cpu_mask": "0x3",
    "cpu_mask_batch": "3",
    "spec_draft_cpu_mask": "3",
    "spec_draft_cpu_mask_batch": "3",
    "cpu_range": "0-1",
    "cpu_range_batch": "0-1",
    "spec_draft_cpu_range": "0-1",
    "tools_runtime": "docker:alpine",
}
"""Where not any text will do."""


def sample(parameter: Parameter, place: Path) -> Setting:
    """A value; a file or directory that must exist is made in `place`."""
    return next(samples(parameter, place))


def samples(parameter: Parameter, place: Path) -> Iterator[Setting]:
    """All values of which there are few, the bounds of those of which there are many."""
    for value in _samples(parameter, place):
        yield parse(parameter.name, value) if not parameter.never else str(value)


def _samples(parameter: Parameter, place: Path) -> Iterator[object]:
    if parameter.kind == "switch":
        yield from (True, False)
    elif parameter.kind == "duration":
        yield from (0, -1, "10m")
    elif parameter.kind in ("int", "float"):
        least = -3 if parameter.least is None else parameter.least
        yield least
        yield 2**31 - 1 if parameter.most is None else parameter.most
        yield from parameter.choices
    elif parameter.kind == "path":
        yield _path(parameter, place)
    elif parameter.kind == "json":
        yield '{"type":"object"}'
    elif parameter.choices:
        yield from parameter.choices
    elif parameter.item in ("int", "float"):
        yield ",".join(["1", "2"][: parameter.items[1]])
    else:
        made_up = [f"/x/{item}" if parameter.item == "path" else item for item in ("one", "two")]
        as_text = parameter.separator.join(made_up) if parameter.kind == "list" else "any"
        yield TEXTS.get(parameter.name, as_text)


def _path(parameter: Parameter, place: Path) -> str:
    path = place / parameter.name
    if parameter.must_exist == "directory":
        path.mkdir(exist_ok=True)
    elif parameter.must_exist:
        path.write_text(FILES.get(parameter.name, "{}"))
    return str(path)


SETTABLE = [parameter for parameter in PARAMETERS.values() if not parameter.never]
