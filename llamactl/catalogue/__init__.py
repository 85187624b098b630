"""Which models there are.

Owns the names: each model under its name and its aliases, in memory for look-ups and in the store for the next
start; what it finds in directories, and whether a file can be a model at all. It never writes or deletes a
model's file. It must not know what runs, or how a llama-server is started.

Start reading at `catalogue.Catalogue`. `discover` walks directories: `candidates` says which files it takes, `look`
reads them through `gguf`, `beside` links what belongs together; `news` holds what was found against what is known.
`watch` notices changes, `verify` looks at one model in earnest.
"""

from llamactl.catalogue.candidates import Patterns
from llamactl.catalogue.catalogue import Catalogue
from llamactl.catalogue.discover import File, Found, examine, examine_all, walk
from llamactl.catalogue.watch import Watch

__all__ = ["Catalogue", "File", "Found", "Patterns", "Watch", "examine", "examine_all", "walk"]
