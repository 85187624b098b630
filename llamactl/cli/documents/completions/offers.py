"""What may stand where: after an option that takes a value, and as an argument."""

import msgspec

from llamactl.cli.documents.tree import Argument, Command, Option
from llamactl.core.events import KINDS
from llamactl.rpc.calls import CALLS


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """`names` are kinds of lines in the daemon's file, `files` is `FILE` or `DIR`.

    `keys` names a list of `keys`: of them as they are, or `assigned` a value; `value` is of the key before it.
    """

    words: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    files: str = ""
    keys: str = ""
    assigned: bool = False
    value: bool = False


NOTHING = Offer()
FILE, DIR = Offer(files="FILE"), Offer(files="DIR")
MODEL, ASKED = Offer(names=("model", "alias")), Offer(names=("model", "alias", "variant"))
PRESET, KEY = Offer(names=("preset",)), Offer(names=("key",))
SETTING, ASSIGNMENT = Offer(keys="settings"), Offer(keys="settings", assigned=True)
CONFIG = Offer(keys="config")

_USUAL = {
    "NAME": MODEL,
    "OLD": MODEL,
    "MODEL": ASKED,
    "NAME[:VARIANT]": ASKED,
    "PRESET": PRESET,
    "TEMPLATE": FILE,
    "FILE": FILE,
    "DIR": DIR,
    "KEY": SETTING,
    "KEY=VALUE": ASSIGNMENT,
    "METHOD": Offer(words=tuple(sorted(CALLS))),
}
"""By what the value is called."""

_HERE = {
    "api METHOD": Offer(words=tuple(CALLS)),
    "keys create NAME": NOTHING,
    "keys revoke ID": KEY,
    "keys rotate ID": KEY,
    "config get KEY": CONFIG,
    "config set KEY": CONFIG,
    "config set VALUE": Offer(value=True),
    "config unset KEY": CONFIG,
    "models defaults set KEY=VALUE": Offer(keys="defaults", assigned=True),
    "models defaults unset KEY": Offer(keys="defaults"),
    "models variants set KEY=VALUE": Offer(keys="parameters", assigned=True),
    "models variants set --strip": Offer(keys="parameters"),
    "models variants unset KEY": Offer(keys="parameters"),
    "models add --name": NOTHING,
    "metrics history --gpu": NOTHING,
    "metrics history --metric": NOTHING,
    "metrics export --gpu": NOTHING,
    "metrics export --metric": NOTHING,
    "keys create --model": MODEL,
    "requests --key": KEY,
    "requests ls --key": KEY,
    "events --type": Offer(words=KINDS),
}
"""Where it is something else than usual, or an option."""


def of_option(command: Command, option: Option) -> Offer:
    return _of(command, option.names[-1], option)


def of_argument(command: Command, argument: Argument) -> Offer:
    return _of(command, argument.value, argument)


def _of(command: Command, called: str, taken: Option | Argument) -> Offer:
    if taken.choices:
        return Offer(words=taken.choices)
    return _HERE.get(" ".join((*command.words, called)), _USUAL.get(taken.value, NOTHING))
