"""From the events of a stream, the body that llama-server would have answered without streaming. (pure)

Whoever asks without `"stream": true` is asked for as a stream all the same, since llama-server notices at once when
nobody listens to a stream any more, and often never otherwise. What it answers is put together here: the same
members in the same order, and the bytes of numbers as they came. What a stream does not tell is left to llama-server
(`as_stream`): the probability of the token that ends a chat, which tokens a stop word takes away, the tokens
themselves, a selection of members.

One difference is known: of a character that the limit of tokens cuts in two, llama-server answers `\\ufffd`; in a
stream it is silent about it.
"""

from llamactl.proxy.gather.asked import as_stream as as_stream
from llamactl.proxy.gather.asked import gather as gather
from llamactl.proxy.gather.asked import streams as streams
from llamactl.proxy.gather.stream import Gather as Gather
from llamactl.proxy.gather.stream import Unexpected as Unexpected
