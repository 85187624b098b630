"""What the daemon listens on: the control socket, and the addresses of the front door with what protects them."""

import logging
import os
import socket
from collections.abc import Iterable

from llamactl.config.sections import Config
from llamactl.core.access import Key
from llamactl.daemon import ports, tls
from llamactl.daemon.keyring import tokens
from llamactl.daemon.reexec import Inherited
from llamactl.rpc.server import listen

log = logging.getLogger(__name__)


class Listening:
    """All of it, open. `front` is by what is configured to listen on."""

    def __init__(self, config: Config, keys: Iterable[Key], inherited: Inherited | None) -> None:
        """Raises what `ports.listen` and `tls.Tls` do."""
        http = config.http
        kept = dict(inherited.listeners) if inherited else {}
        self.certificate = None if http.tls_cert is None else tls.Tls(http.tls_cert, http.tls_key)
        has_keys = tokens(config.access) is not None or any(key.revoked is None for key in keys)
        protected = self.certificate is not None and has_keys
        self.front = {
            spec: ports.listen(
                spec, insecure=config.access.insecure, protected=protected, inherited=kept.pop(spec, None)
            )
            for spec in (f"{http.host}:{http.port}", *http.listen)
        }
        for number in kept.values():  # what is not listened on any more
            os.close(number)
        self.urls = [ports.url(listener, tls=self.certificate is not None) for listener in self.front.values()]
        for listener in self.front.values():
            if ports.exposed(listener) and not protected:
                log.warning("%s can be reached from other machines, without keys or without TLS", ports.url(listener))
        self.context = None if self.certificate is None else self.certificate.context
        self._path = config.directories.control_socket
        self.control = socket.socket(fileno=inherited.control) if inherited else listen(self._path)

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        for listener in (self.control, *self.front.values()):
            listener.close()
