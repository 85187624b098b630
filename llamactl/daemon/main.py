"""The life of the daemon: from its sockets to the end of its services, or to its next execution."""

import faulthandler
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing, suppress

import anyio
import msgspec
from anyio.abc import TaskStatus

from llamactl import __version__
from llamactl.config.sections import Config
from llamactl.core.errors import Refused
from llamactl.daemon import tls
from llamactl.daemon.activation import Activated, activated
from llamactl.daemon.adopt import adopt, remember
from llamactl.daemon.keyring import tokens
from llamactl.daemon.listening import Listening
from llamactl.daemon.notify import Notify
from llamactl.daemon.process import PidFile
from llamactl.daemon.reexec import Inherited, Reexec, obey_again
from llamactl.daemon.reload import obey_hangups
from llamactl.daemon.reporting import report, summary
from llamactl.daemon.selfcheck import check as selfcheck
from llamactl.daemon.services import Services
from llamactl.daemon.wiring import wire
from llamactl.logs.records import Records
from llamactl.proxy.door import Door
from llamactl.proxy.leaving import clear
from llamactl.store import Database

log = logging.getLogger(__name__)

SWITCH = 0.001
"""Seconds for which a thread that computes (lines of llama-servers, rows for the disk) may keep the event loop waiting;
Python's own 5 ms are all that a request may be late."""


def run(config: Config, read: Callable[[], Config], up: Callable[[], None], inherited: Inherited | None = None) -> None:
    """The whole life of a daemon, in the foreground; `up` is called once everything is.

    `read` reads the configuration again, as it was read first. `inherited` is from before this process executed
    itself anew.

    Raises a `LlamactlError` when it cannot start, or cannot go on.
    """
    possible(config)
    os.umask(0o077)
    sys.setswitchinterval(SWITCH)
    config.directories.prepare()
    notify = Notify(os.environ, os.getpid())
    if notify.watchdog is not None:
        faulthandler.enable()  # it ends who hangs with SIGABRT, and where that was is worth knowing
    sockets = inherited.activated if inherited else activated(os.environ, os.getpid())
    with (
        PidFile(config.directories.pid_file, inherited.pid_file if inherited else None) as pid_file,
        closing(Records(config)) as records,
    ):
        records.install()
        try:
            anyio.run(
                _live,
                config,
                lambda: possible(read()),
                up,
                pid_file,
                inherited,
                records,
                notify,
                sockets,
                backend_options={"use_uvloop": _has_uvloop()},
            )
        except BaseExceptionGroup as group:
            raise _cause(group) from None


def possible(config: Config) -> Config:
    """The same. Who asked for protection must get it: raises a `LlamactlError` for files that cannot be used."""
    http = config.http
    if http.tls_cert is not None:
        tls.load(http.tls_cert, http.tls_key)
    elif http.tls_key is not None:
        raise Refused("http.tls_key is set, and http.tls_cert is not", "llamactl config set http.tls_cert FILE")
    tokens(config.access)
    return config


async def _live(
    config: Config,
    read: Callable[[], Config],
    up: Callable[[], None],
    pid_file: PidFile,
    inherited: Inherited | None,
    records: Records,
    notify: Notify,
    sockets: Activated,
) -> None:
    with (
        closing(Database(config.directories.database)) as database,
        closing(Listening(config, database.keys.all(), sockets, inherited)) as listening,
        closing(wire(config, read, database, listening, records, inherited, notify)) as parts,
    ):
        supervisor, services, catalogue = parts.supervisor, parts.services, parts.catalogue

        def hand_over(keep_models: bool) -> Inherited:
            bare = Inherited(
                pid_file=pid_file.fileno(),
                control=listening.control.fileno(),
                listeners={spec: listener.fileno() for spec, listener in listening.bound.items()},
                activated=sockets,
                last_event=parts.hub.last,
            )
            if not keep_models:
                return bare
            return msgspec.structs.replace(
                bare,
                pinned=supervisor.pinned,
                began=parts.control.began,
                models={name: msgspec.Raw(msgspec.json.encode(past)) for name, past in supervisor.pasts().items()},
            )

        def close() -> None:
            notify.leaving()
            supervisor.keeps = True  # should even the execution fail
            parts.journal.close()
            database.close()
            parts.close()
            records.flush()

        async def make_way(keep_models: bool) -> None:
            await clear(parts.door, parts.current().residency.drain)
            await parts.channel.leave()
            if not keep_models:
                notify.leaving()  # nobody is let in meanwhile
                await supervisor.stop_all()
                await parts.workers.stop()

        def status() -> str:
            return summary(len(catalogue.models()), supervisor.instances(), listening.urls)

        async def check(patience: float) -> None:
            control, door = config.directories.control_socket, listening.front[0]
            await selfcheck(control, door, tls=listening.context is not None, patience=patience)

        again = Reexec(make_way, lambda: services.stopping, close, hand_over)
        parts.control.reexec = again.ask
        for name in inherited.pinned if inherited else ():
            supervisor.pin(name)
        async with anyio.create_task_group() as group:
            await group.start(_obey_signals, services, parts.door)
            await group.start(again.obey_signals)
            await group.start(obey_hangups, parts.current, services.stop)
            obey_again()
            adopted = await adopt(
                config.directories.sockets,
                catalogue,
                supervisor,
                parts.launch.outdated,
                config.residency.load_timeout,
                group,
            )
            parts.adopted.extend(adopted)
            known = remember(inherited.models, catalogue, supervisor) if inherited else {}
            async with anyio.create_task_group() as running:
                await running.start(services.run)
                log.info("llamactl %s serves on %s", __version__, ", ".join(listening.urls))
                gc.freeze()  # what is here now stays: the collector need not look at it again
                up()
                group.start_soon(report, notify, parts.hub, status, check, services.ending)
                for name in [name for name, past in known.items() if past.begun]:
                    supervisor.begin(catalogue.resolve(name), known[name].ttl)
                group.start_soon(again.run)
            parts.journal.close()
            log.info("llamactl ended")
            group.cancel_scope.cancel()


async def _obey_signals(
    services: Services, door: Door, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """The first SIGTERM or SIGINT ends everything in good order, the second without patience."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            log.info("%s: stopping", signal.Signals(number).name)
            services.stop()
            await anext(signals)
            door.hurry()


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What is inside, if it is one thing that can be told; task groups wrap whatever passes through them."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup) and len(inner.exceptions) == 1:
        inner = inner.exceptions[0]
    return inner


def _has_uvloop() -> bool:
    with suppress(ImportError):
        import uvloop  # noqa: F401  # only whether it is there

        return True
    return False
