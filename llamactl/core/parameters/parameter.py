"""What a parameter is, and a short way to write down each kind of it."""

from functools import partial
from typing import Any, Literal

import msgspec

Kind = Literal["switch", "int", "float", "text", "choice", "list", "path", "json", "arguments", "duration"]
Group = Literal["model", "sampling", "memory", "gpu", "advanced", "lora", "multimodal", "server"]
Passing = Literal["joined", "each", "spread"]


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be set about a llama-server.

    A value is a `Setting`: bool for a switch, a number for int and float, text for all others. A list is kept
    as its items joined by `separator`, JSON as its text, raw arguments as a shell would read them.
    """

    name: str
    """The column of the seed's schema where it has one; unique over all groups."""
    group: Group = "model"
    kind: Kind
    flags: tuple[str, ...]
    """The current spelling first, then older and shorter ones. For `one_shot_preset` one per choice."""
    help: str
    off: tuple[str, ...] = ()
    """The flags that switch it off; a switch without any can only be switched on."""
    words: tuple[str, str] | None = None
    """What is passed for off and on by a switch whose flag takes a value."""
    choices: tuple[str, ...] = ()
    """All that it, or an item of the list, may be; for a number: what it may be besides those in its range."""
    least: float | None = None
    most: float | None = None
    unit: str = ""
    pattern: str = ""
    """A regular expression for the text, or for each item of the list; `form` says it to people."""
    form: str = ""
    item: Literal["text", "int", "float", "path"] = "text"
    items: tuple[int, int] = (1, 4096)
    """How many a list has at least and at most."""
    separator: str = ","
    passing: Passing = "joined"
    """A list in one argument, with the flag before each item, or each item as an argument of its own."""
    must_exist: Literal["", "file", "directory"] = ""
    """llama-server looks for it while it reads its arguments, and ends if it is not there."""
    environment: str = ""
    """The variable in which llama-server takes it: it is a secret, and command lines are public."""
    family: str = ""
    """Of those in one family the one set closest to the model counts."""
    inverts: str = ""
    """It is the negation of this parameter, and has no flags of its own."""
    gone: str = ""
    """The flag is gone from today's llama-server; this says what to do instead."""
    never: str = ""
    """llamactl never passes it for a user; this says why, or what to do instead."""

    ours: bool = False
    """It says what llamactl does with a model; llama-server is not told."""

    @property
    def secret(self) -> bool:
        return bool(self.environment)

    @property
    def scope(self) -> Literal["server", "model"]:
        """Whose setting it is first of all. One of a server may be set for a single model too."""
        return "server" if self.group == "server" else "model"


def _parameter(
    kind: Kind, name: str, flags: str, help: str, *, off: str = "", choices: str = "", **more: Any
) -> Parameter:
    """Flags and choices are written as words in one text."""
    return Parameter(
        name=name,
        kind=kind,
        flags=tuple(flags.split()),
        help=help,
        off=tuple(off.split()),
        choices=tuple(choices.split()),
        **more,
    )


switch = partial(_parameter, "switch")
bit = partial(_parameter, "switch", words=("0", "1"))
integer = partial(_parameter, "int")
tokens = partial(_parameter, "int", unit="tokens", least=0)
threads = partial(_parameter, "int", unit="threads", least=-1)
experts = partial(_parameter, "int", unit="layers", least=0, most=512)  # it makes an expression for each
number = partial(_parameter, "float")
share = partial(_parameter, "float", least=0, most=1)
text = partial(_parameter, "text")
choice = partial(_parameter, "choice")
idleness = partial(_parameter, "duration", flags="", unit="s", ours=True)
several = partial(_parameter, "list")
path = partial(_parameter, "path")
file = partial(_parameter, "path", must_exist="file")
json_object = partial(_parameter, "json")
arguments = partial(_parameter, "arguments")


def table(group: Group, *parameters: Parameter) -> tuple[Parameter, ...]:
    """The parameters of one group, in the order in which they are shown and passed."""
    return tuple(msgspec.structs.replace(parameter, group=group) for parameter in parameters)


CACHE_TYPES = "f32 f16 bf16 q8_0 q4_0 q4_1 iq4_nl q5_0 q5_1"
CPU_MASK: dict[str, Any] = {"pattern": "(0x)?[0-9a-fA-F]+", "form": "a hexadecimal mask"}
CPU_RANGE: dict[str, Any] = {"pattern": r"\d+-\d*|-\d+", "form": "a range like 0-3"}
SCALED: dict[str, Any] = {"item": "path", "pattern": r".+:-?\d+(\.\d+)?", "form": "FILE:SCALE"}
TENSORS: dict[str, Any] = {"pattern": "[^=]+=[^=]+", "form": "PATTERN=BUFFER"}
GPU_LAYERS: dict[str, Any] = {"choices": "auto all -1 -2", "least": 0, "unit": "layers"}
"""Once -1 was auto, and -2 all."""
