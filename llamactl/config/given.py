"""Files that somebody names to be read."""

from pathlib import Path
from typing import BinaryIO

from llamactl.core.errors import BadRequest, NotFound


def read_text(path: Path, largest: int, stream: BinaryIO | None = None) -> str:
    """What stands in the file, or in the stream that is read in its stead; `largest` in bytes.

    Raises `NotFound` where there is none, `BadRequest` where it is larger, is no text or cannot be read.
    """
    try:
        if stream is not None:
            content = stream.read(largest + 1)
        else:
            with path.open("rb") as file:
                content = file.read(largest + 1)
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise NotFound(f"no file {path}", f"ls {path.parent}") from None
    except UnicodeDecodeError:
        raise BadRequest(f"{path} is not a text in UTF-8", f"file {path}") from None
    except OSError as error:
        raise BadRequest(f"cannot read {path}: {error.strerror}", f"ls -l {path}") from None
    if len(content) > largest:
        raise BadRequest(f"{path} is larger than {largest >> 20} MiB", f"ls -lh {path}")
    return text
