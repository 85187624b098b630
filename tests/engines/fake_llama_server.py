#!/usr/bin/env python3
"""The executable: `tests.engines.fake`, wherever it is called from."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.engines.fake.main import main  # noqa: E402 (found only now)

main(sys.argv[1:])
