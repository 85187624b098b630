"""Every setting of llama-server that llamactl knows, written down once.

From this table come the columns of the database, what `models set` accepts and completes, the manual and the
command line of a llama-server. It must not know which of them a certain build has: `llamaserver` does.

`PARAMETERS` has them by name, in order; start reading at `parameter.Parameter`. The modules beside it are the table.
"""

from typing import get_args

from llamactl.core.errors import BadRequest, Refused
from llamactl.core.model import Setting
from llamactl.core.parameters.advanced import ADVANCED, MULTIMODAL
from llamactl.core.parameters.launch import GPU, MEMORY, MODEL
from llamactl.core.parameters.parameter import Group, Kind, Parameter
from llamactl.core.parameters.sampling import SAMPLING
from llamactl.core.parameters.server import SERVER
from llamactl.core.parameters.speculative import LORA
from llamactl.core.parameters.values import allowed, pieces, value_of

__all__ = [
    "BY_FLAG",
    "GROUPS",
    "LEFT_OUT",
    "OF_ONE_MODEL",
    "PARAMETERS",
    "SECRETS",
    "SECRET_SETTINGS",
    "Group",
    "Kind",
    "Parameter",
    "allowed",
    "columns",
    "find",
    "parse",
    "pieces",
]

GROUPS: tuple[Group, ...] = get_args(Group)

PARAMETERS: dict[str, Parameter] = {
    parameter.name: parameter
    for parameter in (*MODEL, *SAMPLING, *MEMORY, *GPU, *ADVANCED, *LORA, *MULTIMODAL, *SERVER)
}

BY_FLAG: dict[str, Parameter] = {
    flag: parameter for parameter in PARAMETERS.values() for flag in (*parameter.flags, *parameter.off)
}

SECRETS = frozenset(parameter.environment for parameter in PARAMETERS.values() if parameter.secret)
"""Variables whose values are shown to nobody."""

SECRET_SETTINGS = frozenset(parameter.name for parameter in PARAMETERS.values() if parameter.secret)

_EXITS = "it makes llama-server print something and exit"
LEFT_OUT: dict[str, str] = {
    **dict.fromkeys(("-h", "--help", "--usage", "--version", "--completion-bash", "-cl", "--cache-list"), _EXITS),
}
"""Flags of llama-server that are no settings, with the reason."""

OF_ONE_MODEL = frozenset({"model_url", "docker_repo", "hf_repo", "hf_file", "one_shot_preset"})
"""What says which model it is: no matter of defaults, nor of presets."""

_ALSO = {"extra": PARAMETERS["custom_params"]} | {
    flag: parameter for parameter in PARAMETERS.values() for flag in parameter.flags
}


def find(name: str) -> Parameter:
    """The parameter of this name. A flag that sets it will do, as it is typed or without its dashes.

    Raises `BadRequest` with names that are spelled alike.
    """
    typed = name if name.startswith("-") else "--" + name.replace("_", "-")
    found = PARAMETERS.get(name) or _ALSO.get(name) or _ALSO.get(typed)
    if found is None:
        from difflib import get_close_matches  # rarely needed, and slow to import

        alike = get_close_matches(name.strip("-").replace("-", "_"), PARAMETERS, n=3)
        hint = f"did you mean {' or '.join(alike)}?" if alike else "its --help lists what there is"
        raise BadRequest(f"llama-server has no setting {name!r}", hint)
    return found


def parse(name: str, value: object) -> Setting:
    """The value of the setting `name` as it is kept, from a text or from what JSON and TOML know.

    Raises `BadRequest`, which says what is allowed, and `Refused` for what llamactl never passes.
    """
    parameter = find(name)
    if parameter.never:
        raise Refused(f"{parameter.name} cannot be set: {parameter.never}")
    return value_of(parameter, value)


def columns(group: Group) -> tuple[Parameter, ...]:
    """The parameters of one group, in their order."""
    return tuple(parameter for parameter in PARAMETERS.values() if parameter.group == group)
