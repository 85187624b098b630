"""Everything that can go wrong, as the user meets it.

    LlamactlError              1  −32000  500
    ├── BadRequest             2  −32602  400   input from outside that cannot be understood
    │   └── BodyTooLarge       2  −32012  413
    ├── NotRunning             3  −32003  503   asked about something that does not run
    ├── NotFound               4  −32004  404
    ├── Refused                5  −32005  409   the state of things forbids it
    ├── Unauthorized           6  −32017  401   no key, or none that counts
    ├── Forbidden              6  −32006  403
    ├── Unreachable            7  −32007  502   no daemon answers
    ├── TimedOut               8  −32008  504
    ├── DoesNotFit             9  −32009  507   could never fit into memory
    ├── QueueFull              1  −32010  429
    ├── RateLimited            1  −32018  429   more requests than the key, or the address, may send
    ├── Draining               5  −32011  503   the instance is being stopped
    ├── LoadFailed             1  −32013  503   llama-server did not become ready
    │   └── WorkerLost         1  −32016  503   a machine that was to compute with it does not answer
    ├── UpstreamDied           1  −32014  502   llama-server went away under a request
    ├── Cancelled              1  −32019  499   somebody ended the request
    └── StoreFailed            1  −32015  503   the database cannot be read or written; nothing was changed

The three numbers are the exit code of the command line, the JSON-RPC error code and the HTTP status.
"""

from typing import ClassVar

import msgspec


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as it crosses a boundary.

    `code` is a stable word for scripts, `hint` the next command to try (or empty), `retry_after` the
    seconds after which the same request may go through.
    """

    code: str
    message: str
    hint: str = ""
    retry_after: float | None = None
    exit: int = 1


class LlamactlError(Exception):
    """What happened and why, in `message`; what to do about it, in `hint`."""

    code: ClassVar[str] = "error"
    exit: ClassVar[int] = 1
    rpc: ClassVar[int] = -32000
    status: ClassVar[int] = 500

    def __init__(self, message: str, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retry_after = retry_after

    def problem(self) -> Problem:
        return Problem(self.code, self.message, self.hint, self.retry_after, self.exit)


class BadRequest(LlamactlError):
    code, exit, rpc, status = "bad_request", 2, -32602, 400


class BodyTooLarge(BadRequest):
    code, rpc, status = "body_too_large", -32012, 413


class NotRunning(LlamactlError):
    code, exit, rpc, status = "not_running", 3, -32003, 503


class NotFound(LlamactlError):
    code, exit, rpc, status = "not_found", 4, -32004, 404


class Refused(LlamactlError):
    code, exit, rpc, status = "refused", 5, -32005, 409


class Unauthorized(LlamactlError):
    code, exit, rpc, status = "unauthorized", 6, -32017, 401


class Forbidden(LlamactlError):
    code, exit, rpc, status = "forbidden", 6, -32006, 403


class Unreachable(LlamactlError):
    code, exit, rpc, status = "unreachable", 7, -32007, 502


class TimedOut(LlamactlError):
    code, exit, rpc, status = "timed_out", 8, -32008, 504


class DoesNotFit(LlamactlError):
    code, exit, rpc, status = "does_not_fit", 9, -32009, 507


class QueueFull(LlamactlError):
    code, rpc, status = "queue_full", -32010, 429


class RateLimited(LlamactlError):
    code, rpc, status = "rate_limited", -32018, 429


class Draining(LlamactlError):
    code, exit, rpc, status = "draining", 5, -32011, 503


class LoadFailed(LlamactlError):
    code, rpc, status = "load_failed", -32013, 503


class WorkerLost(LoadFailed):
    code, rpc, status = "worker_lost", -32016, 503


class UpstreamDied(LlamactlError):
    code, rpc, status = "upstream_died", -32014, 502


class Cancelled(LlamactlError):
    code, rpc, status = "cancelled", -32019, 499


class StoreFailed(LlamactlError):
    code, rpc, status = "store_failed", -32015, 503


def _tree(root: type[LlamactlError]) -> list[type[LlamactlError]]:
    return [root] + [leaf for child in root.__subclasses__() for leaf in _tree(child)]


BY_CODE: dict[str, type[LlamactlError]] = {error.code: error for error in _tree(LlamactlError)}


def from_problem(problem: Problem) -> LlamactlError:
    """The error again, on the other side of a boundary."""
    return BY_CODE.get(problem.code, LlamactlError)(problem.message, problem.hint, problem.retry_after)
