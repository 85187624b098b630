"""What the daemon listens on: the control socket, and the addresses of the front door with what protects them."""

import logging
import os
import socket
from collections.abc import Iterable

from llamactl.config.sections import Config
from llamactl.core.access import Key
from llamactl.daemon import ports, tls
from llamactl.daemon.activation import Activated
from llamactl.daemon.keyring import tokens
from llamactl.daemon.reexec import Inherited
from llamactl.rpc.server import listen

log = logging.getLogger(__name__)


class Listening:
    """All of it, open: `bound` by what is configured, and before those what was `activated`, which is not ours to
    remove. Sockets for the front door among these stand for `http.host` and `http.port`."""

    def __init__(
        self, config: Config, keys: Iterable[Key], activated: Activated, inherited: Inherited | None = None
    ) -> None:
        """Raises what `ports.listen` and `tls.Tls` do."""
        http = config.http
        kept = dict(inherited.listeners) if inherited else {}
        self.activated = activated
        self.certificate = None if http.tls_cert is None else tls.Tls(http.tls_cert, http.tls_key)
        self.context = None if self.certificate is None else self.certificate.context
        has_keys = tokens(config.access) is not None or any(key.revoked is None for key in keys)
        protected, insecure = self.certificate is not None and has_keys, config.access.insecure
        given = [ports.given(number, insecure=insecure, protected=protected) for number in activated.proxy]
        self.bound = {
            spec: ports.listen(spec, insecure=insecure, protected=protected, inherited=kept.pop(spec, None))
            for spec in (*(() if given else [f"{http.host}:{http.port}"]), *http.listen)
        }
        for number in kept.values():  # what is not listened on any more
            os.close(number)
        self.front = [*given, *self.bound.values()]
        self.urls = [ports.url(listener, tls=self.certificate is not None) for listener in self.front]
        for listener in self.front:
            if ports.exposed(listener) and not protected:
                log.warning("%s can be reached from other machines, without keys or without TLS", ports.url(listener))
        self._path = config.directories.control_socket
        control = inherited.control if inherited else activated.control
        self.control = listen(self._path) if control is None else socket.socket(fileno=control)

    def close(self) -> None:
        if self.activated.control is None:
            self._path.unlink(missing_ok=True)
        for listener in (self.control, *self.front):
            listener.close()
