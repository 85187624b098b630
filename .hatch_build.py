"""Where that goes which is not code: manual, completions and units, below the prefix of an installation."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACES = {
    "man/*.1": "share/man/man1/{name}",
    "man/*.5": "share/man/man5/{name}",
    "man/*.7": "share/man/man7/{name}",
    "man/*.8": "share/man/man8/{name}",
    "completions/llamactl.bash": "share/bash-completion/completions/llamactl",
    "completions/_llamactl": "share/zsh/site-functions/_llamactl",
    "completions/llamactl.fish": "share/fish/vendor_completions.d/llamactl.fish",
    "systemd/*.service": "lib/systemd/system/{name}",
    "systemd/*.socket": "lib/systemd/system/{name}",
    "systemd/user/*.service": "lib/systemd/user/{name}",
    "systemd/user/*.socket": "lib/systemd/user/{name}",
    "systemd/*.sysusers": "lib/sysusers.d/{stem}.conf",
    "systemd/*.tmpfiles": "lib/tmpfiles.d/{stem}.conf",
}


class Shared(BuildHookInterface[Any]):
    """Static data of the wheel; a table of single files in pyproject.toml would have a line for each page."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        for pattern, place in PLACES.items():
            for file in Path(self.root).glob(pattern):
                build_data["shared_data"][str(file)] = place.format(name=file.name, stem=file.stem)
