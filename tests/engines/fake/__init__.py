"""Behaves like llama-server on the command line it is given, with the vices it is told to have.

Its answers, the names and order of its headers, its pauses and its quirks are those of a real one (build
b10434), as far as a client can see:

- a request sent before the answer to the one before it has come is lost (no pipelining);
- an error says `Connection: close`, and the connection stays open for 5 s;
- a stream says `Keep-Alive`, and the connection is closed after it;
- the hundredth answer on a connection says `Connection: close`;
- SIGTERM ends an idle one at once; with a request in flight it stops generating and stays for 30 s, or
  until the client leaves; a second SIGTERM ends it with exit code 1;
- the socket's file stays behind.

Answers hold, beyond those of a real one, `echo`: the last message of the user, or the prompt. `/echo` answers with
the request it got, in JSON; `Upgrade: echo` under any path gives back what is sent.

Vices (`state.Vices`) come from the environment variable FAKE_LLAMA and from the file `<model>.json` beside the
model, both as a JSON object; the file wins. Only the standard library is used: it must start fast, and
without the package it tests.
"""

from tests.engines.fake.state import Vices

__all__ = ["Vices"]
