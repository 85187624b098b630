"""What was asked of models."""

from collections.abc import Callable

from llamactl.catalogue import Catalogue
from llamactl.core.errors import NotFound
from llamactl.core.requests import ModelRequest
from llamactl.daemon.control.noun import Handlers
from llamactl.daemon.history import History
from llamactl.proxy.capture import Capture
from llamactl.rpc import calls
from llamactl.store import Requests


class RequestCalls:
    """`requests.…`; `cancel` ends one under way, and says whether there was one with that id."""

    def __init__(
        self,
        catalogue: Catalogue,
        history: History,
        store: Requests,
        capture: Capture,
        cancel: Callable[[str], bool],
    ) -> None:
        self._catalogue = catalogue
        self._history = history
        self._store = store
        self._capture = capture
        self._cancel = cancel
        self.handlers: Handlers = {
            calls.ListRequests: self._list,
            calls.ShowRequest: self._show,
            calls.ShowBodies: self._bodies,
            calls.CancelRequest: self._cancel_request,
        }

    async def _list(self, call: calls.ListRequests) -> list[ModelRequest]:
        model = self._model(call.model)
        recent = [
            request
            for request in self._history.recent()
            if (not model or request.model == model)
            and (not call.key or request.key == call.key)
            and call.status in (None, request.status)
            and (call.since is None or request.at >= call.since)
        ]
        under_way = [request for request in recent if request.state != "ended"]
        ended = recent[len(under_way) :] + self._store.find(
            model=model or None, key=call.key or None, status=call.status, since=call.since, limit=call.limit
        )
        return under_way + ended[: call.limit]

    def _model(self, name: str) -> str:
        """What an alias stands for; a model that has left the catalogue keeps its name."""
        try:
            return self._catalogue.resolve(name).name if name else ""
        except NotFound:
            return name

    async def _show(self, call: calls.ShowRequest) -> ModelRequest:
        recent = (request for request in self._history.recent() if request.id == call.id)
        request = next(recent, None) or self._store.get(call.id)
        if request is None:
            raise NotFound(f"no request {call.id} is remembered", "llamactl requests ls")
        return request

    async def _bodies(self, call: calls.ShowBodies) -> calls.Bodies:
        captured = self._capture.get(call.id.encode())
        if captured is None:
            raise NotFound(
                f"the bodies of {call.id} were not captured",
                "llamactl config set requests.capture 20 holds those of the latest 20 from then on",
            )
        return calls.Bodies(
            asked=captured.asked.decode("utf-8", "replace"),
            answered=captured.answered.decode("utf-8", "replace"),
            asked_size=captured.asked_size,
            answered_size=captured.answered_size,
        )

    async def _cancel_request(self, call: calls.CancelRequest) -> None:
        if not self._cancel(call.id):
            raise NotFound(f"no request {call.id} is under way", "llamactl requests ls")
