"""The control contract, both ends.

`calls` says every question and the type of its answer, `messages` is JSON-RPC 2.0 without a socket,
`client` the near end (blocking, without an event loop, for the command line), `server` the far end (a
Unix socket). What a call *does* is not known here: the daemon hands in a handler.

Start reading at `calls`.
"""
