"""How everything is, live (`llamactl top`) and once (`llamactl status`).

`view` is what is known, `present` asks for it, `looking` is what the user made of it with keys, `drawing` puts both on
so many rows and columns: all pure but `present`. `live` runs them on a `terminal`.

Nothing here is loaded before one of the two commands runs.
"""
