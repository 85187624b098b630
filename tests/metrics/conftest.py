from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.metrics.nvml import Pretence, built, loaded


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def nvml(nvml_library: Path) -> Iterator[Pretence]:
    with loaded(nvml_library) as pretence:
        yield pretence
