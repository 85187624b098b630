"""One request for a model, as it is remembered and shown."""

from typing import Literal

import msgspec

RequestState = Literal["waiting", "answering", "ended"]


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says of its own making; what it does not say is None.

    `prompt_tokens` are all of the prompt, `cached_tokens` those of them that were known from earlier. `draft_tokens`
    were guessed by the draft, `accepted_tokens` of them rightly. Rates are tokens a second, `finish` is why it ended,
    in the words of the API: `stop`, `length`, `end_turn` …
    """

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    generated_tokens: int | None = None
    draft_tokens: int | None = None
    accepted_tokens: int | None = None
    prompt_rate: float | None = None
    generation_rate: float | None = None
    finish: str = ""


class ModelRequest(Usage, frozen=True, kw_only=True):
    """`at` is when it came, in seconds since the epoch; `key` the id of its API key, `client` the address it came from.

    `status` is None as long as nothing was answered. `error` is the code of what went wrong, also after an answer had
    begun: `client_left` if nobody waited for the rest, `cancelled` if somebody ended it.
    Durations are seconds: `queued` until its turn had come, `loading` of the model it waited for, `first` from the
    request to the first byte of the answer, `duration` to the last one, or until now.
    """

    id: str
    at: float
    model: str
    endpoint: str
    client: str = ""
    key: str = ""
    state: RequestState = "ended"
    status: int | None = None
    error: str = ""
    queued: float = 0.0
    loading: float = 0.0
    first: float | None = None
    duration: float = 0.0
