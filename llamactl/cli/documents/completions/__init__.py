"""Completions for bash, zsh and fish: commands, options, what they may be set to, and the names there are.

All three walk the line in the same way to find the command it is at, since global flags may stand
anywhere. A place is written `/models/ls`; `llamactld` is at `/daemon/run`. Names come from the file that
the daemon keeps (`daemon/names.py`), without asking it; where there is none there are no names, and no words
about that.

Start reading at `offers`: what may stand where. `line` is the walk, `names` reads the file, `keys` has
settings and keys of the configuration with their values; then there is a module for each shell.
"""

from llamactl.cli.documents.completions.bash import bash
from llamactl.cli.documents.completions.fish import fish
from llamactl.cli.documents.completions.zsh import zsh

__all__ = ["bash", "fish", "zsh"]
