"""Configurations of other systems, read into ours: what they say of llamactl itself, and of models.

Owns the shapes of those files and what became of each thing in them. It must not write anything, nor know the
catalogue: `Imported.keys` is for `config import`, `Imported.models` for `models import`.

Start reading at `report` (what comes out), then `choose` (which file is which).
"""
