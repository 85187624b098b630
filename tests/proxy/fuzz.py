"""Looks for inputs that are read wrongly, by which code they reach.

    python -m tests.proxy.fuzz CORPUS [options of libFuzzer, like -max_total_time=600]

New inputs that reach other code are put into CORPUS; `tests/proxy/corpus` holds those of a long run.
"""

import sys

import atheris

with atheris.instrument_imports(include=["llamactl.proxy"]):
    from tests.proxy.inputs import look

atheris.Setup(sys.argv, look)
atheris.Fuzz()
