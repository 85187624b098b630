"""Processes that outlived their test."""

import psutil


def put_down(mark: str) -> list[psutil.Process]:
    """Kill what carries the mark of this run in its environment and is no child of ours; says what that was."""
    ours = {process.pid for process in psutil.Process().children()}
    left = [process for process in psutil.process_iter() if process.pid not in ours and _marked(process, mark)]
    for process in left:
        process.kill()
    return left


def _marked(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get("STARTED_BY_TESTS") == mark and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):  # gone, or not ours
        return False
