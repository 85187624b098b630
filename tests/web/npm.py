"""The client of Socket.IO from npm, and a program that has it do what stdin says."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CLIENT = Path(__file__).with_name("client.cjs")


def command(url: str, *transports: str) -> list[str]:
    return ["node", str(CLIENT), url, *(transports or ("websocket",))]


def environment(cache: pytest.Cache, **more: str) -> dict[str, str]:
    """In which that program finds its packages, fetched once. Skips the test where they cannot be had."""
    place = cache.mkdir("socketio")
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no node")
    if not (place / "node_modules" / "socket.io-client").exists():
        install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(place), "socket.io-client@4"]
        try:
            done = subprocess.run(install, capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            pytest.skip("npm does not answer")
        if done.returncode:
            pytest.skip(f"npm: {done.stderr[-200:]}")
    return {**os.environ, "NODE_PATH": str(place / "node_modules"), **more}
