"""Every shell script of the checkout is what shellcheck takes for a good one."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def scripts() -> list[str]:
    """Those that end like one, or begin like one, of what git would put into a commit."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True)
    paths = [ROOT / name for name in done.stdout.split("\0") if name]
    return [str(path.relative_to(ROOT)) for path in paths if path.is_file() and _is_script(path)]


def _is_script(path: Path) -> bool:
    if path.suffix in (".sh", ".bash"):
        return True
    with path.open("rb") as file:
        first = file.readline(80)
    return first.startswith(b"#!") and first.split()[-1].rpartition(b"/")[2] in (b"sh", b"bash", b"dash")


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not here (apt-get install shellcheck)")
def test_shellcheck_finds_no_fault() -> None:
    found = scripts()
    if not found and not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    assert {".ci/run", "completions/llamactl.bash"} <= set(found)
    done = subprocess.run(["shellcheck", *found], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == ""
