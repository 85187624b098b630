"""May they? Asked before anything is done for a request."""

from llamactl.proxy.head import Head


class Caller:
    """Who asks, and what they may."""

    __slots__ = ()


ANYBODY = Caller()


class Gate:
    """So far everybody may."""

    def enter(self, head: Head, peer: object) -> Caller:
        """Raises a `LlamactlError` for who may not. Who has entered must `leave`. `peer` is the client's address."""
        return ANYBODY

    def leave(self, caller: Caller) -> None:
        """Its answer is out, or it has gone."""
