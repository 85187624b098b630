"""The front door: every connection from outside.

Owns the listening sockets, each client connection and the pooled connections to the Unix sockets behind
it: those of llama-servers (reached through a lease) and that of the web face. It decides by the path and
the body whom a request is for, and splices the bytes. It must not know what a llama-server process is,
nor answer anything itself but refusals.

One client connection is a `Connection` (`connection`), which reads `Request`s (`request`, `head`), asks whether
they may be made (`access`) and sends each through a `Forward` (`forward`) over an `Upstream` (`upstream`);
`record` remembers it, `usage` reads what its answer says of itself, `capture` holds bodies for who looks for a fault.
`routing`, `dialects` and `usage` are pure. `leaving` is how the door is closed without turning anybody away.

Start reading at `door`.
"""
