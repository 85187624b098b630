"""What the body of a request says that is wanted here: read once, however many want something of it. (pure)"""

import mmap
from typing import Any

import msgspec

from llamactl.core.errors import BadRequest


class Asked(msgspec.Struct):
    """The model, and what says of which form the answer is to be; None or the default where it says nothing.

    What is of another type than llama-server takes is an error that it tells itself: it comes as it is.
    """

    model: str | None = None
    stream: Any = msgspec.UNSET
    stream_options: Any = msgspec.UNSET
    n: Any = None
    n_cmpl: Any = None
    logprobs: Any = None
    top_logprobs: Any = None
    n_probs: Any = None
    stop: Any = None
    return_tokens: Any = None
    verbose: Any = None
    response_fields: Any = None
    reasoning_format: Any = None


_decode = msgspec.json.Decoder(Asked).decode


def asked(body: bytes | mmap.mmap) -> Asked:
    """Raises `BadRequest` when the body is no JSON object, or its model no string."""
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the body does not fit: {error}", '"model" must be a string') from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise BadRequest("the body's JSON is nested too deep") from None
