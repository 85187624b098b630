"""The daemon, wired in the order a reader would draw it."""

import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial

import anyio
import msgspec
from anyio.abc import TaskStatus

from llamactl import __version__
from llamactl.catalogue import Catalogue
from llamactl.config.sections import Config
from llamactl.core.errors import NotFound, Refused
from llamactl.core.instance import Alive
from llamactl.core.model import HOST, Model
from llamactl.core.restart import Policy
from llamactl.core.scheduler import Group, Limits
from llamactl.daemon import ports, tls
from llamactl.daemon.adopt import adopt, remember
from llamactl.daemon.alerting import Alerting
from llamactl.daemon.analysis import Analyst
from llamactl.daemon.budget import Budget
from llamactl.daemon.control import Control
from llamactl.daemon.control.events import EventCalls
from llamactl.daemon.control.fit import FitCalls
from llamactl.daemon.control.keys import KeyCalls
from llamactl.daemon.control.logs import LogCalls
from llamactl.daemon.control.metrics import MetricCalls
from llamactl.daemon.control.requests import RequestCalls
from llamactl.daemon.control.workers import WorkerCalls
from llamactl.daemon.discovery import Discovery
from llamactl.daemon.exits import ExitBook
from llamactl.daemon.history import History
from llamactl.daemon.journal import Journal
from llamactl.daemon.keeping import Keeping
from llamactl.daemon.keyring import Keyring, origins, tokens
from llamactl.daemon.launch import Launch
from llamactl.daemon.learning import Learning
from llamactl.daemon.lending import Lending
from llamactl.daemon.measuring import sampler
from llamactl.daemon.needs import Needs
from llamactl.daemon.process import PidFile
from llamactl.daemon.reexec import Inherited, Reexec, obey_again
from llamactl.daemon.reload import Current, obey_hangups
from llamactl.daemon.services import Service, Services
from llamactl.daemon.workers import Workers
from llamactl.hub import Hub
from llamactl.llamaserver import api
from llamactl.llamaserver.process import LlamaServer
from llamactl.logs.follower import Follower
from llamactl.logs.records import Records
from llamactl.metrics import host
from llamactl.metrics.gpus import Gpus
from llamactl.metrics.prometheus import Prometheus
from llamactl.proxy.door import Door
from llamactl.proxy.leaving import clear
from llamactl.rpc.server import Channel, listen
from llamactl.store import Database
from llamactl.supervisor import Supervisor, Watchdog
from llamactl.web import app as web
from llamactl.web.guests import Guests

log = logging.getLogger(__name__)


def run(config: Config, read: Callable[[], Config], up: Callable[[], None], inherited: Inherited | None = None) -> None:
    """The whole life of a daemon, in the foreground; `up` is called once everything is.

    `read` reads the configuration again, as it was read first. `inherited` is from before this process executed
    itself anew.

    Raises a `LlamactlError` when it cannot start, or cannot go on.
    """
    possible(config)
    os.umask(0o077)
    config.directories.prepare()
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
) -> None:
    http, directories = config.http, config.directories
    kept = dict(inherited.listeners) if inherited else {}
    database = Database(directories.database)
    certificate = None if http.tls_cert is None else tls.Tls(http.tls_cert, http.tls_key)
    has_keys = tokens(config.access) is not None or any(key.revoked is None for key in database.keys.all())
    protected = certificate is not None and has_keys
    try:
        listeners = {
            spec: ports.listen(
                spec, insecure=config.access.insecure, protected=protected, inherited=kept.pop(spec, None)
            )
            for spec in (f"{http.host}:{http.port}", *http.listen)
        }
    except BaseException:
        database.close()
        raise
    for number in kept.values():  # what is not listened on any more
        os.close(number)
    urls = [ports.url(listener, tls=certificate is not None) for listener in listeners.values()]
    for listener in listeners.values():
        if ports.exposed(listener) and not protected:
            log.warning("%s can be reached from other machines, without keys or without TLS", ports.url(listener))
    control_socket = socket.socket(fileno=inherited.control) if inherited else listen(directories.control_socket)
    gpus = Gpus(lambda: budget.devices, time.monotonic)
    try:
        journal = Journal(database.events)
        hub = Hub(last=max(database.events.last(), inherited.last_event if inherited else 0), keep=journal.take)
        current = Current(config, read, hub)
        catalogue = Catalogue(database.models, hub.publish)
        launch = Launch(current, database.server.get, database.presets.get)
        budget = Budget(lambda: current().residency, gpus=gpus.budgets)
        launch.needs = needs = Needs(
            launch.values, database.footprints, budget, host.private_memory, database.changes, gpus.held
        )
        supervisor = Supervisor(launch, hub, _limits(config), needs)
        keeping = Keeping(config.models, hub, catalogue, supervisor, api.probe)
        discovery = Discovery(current, catalogue)
        began = inherited.began if inherited else None
        measuring = sampler(hub, database.samples, supervisor, discovery, gpus, began)
        prometheus = Prometheus(lambda: measuring.latest, measuring.servers.bodies)
        learning = Learning(hub, supervisor, catalogue)
        analyst = Analyst(launch, needs, catalogue, database.fits)
        launch.lending = lending = Lending(
            catalogue,
            budget,
            launch.executable,
            lambda model: launch.values(model).get("rpc"),
            lambda name: isinstance(supervisor.instance(name).phase, Alive),
            needs.changed,
        )

        def lost(address: str) -> None:
            if holder := lending.holder(address):
                supervisor.bereave(holder, f"the worker {address} has ended")

        workers = Workers(
            current, lambda: _restart(current()), launch.executable, lending.learn, lost, lambda: supervisor.keeps
        )
        fit = FitCalls(catalogue, supervisor, analyst, budget, lending, lambda: gpus.measure(()))
        # Files are put where models are, on a disk: the runtime directory mostly is memory.
        door = Door(supervisor, catalogue.asked, str(directories.web_socket), spool=str(directories.data))
        keyring = Keyring(database.keys, door, guests := Guests(), hub.publish)
        history = History(current, door.journal, database.requests, hub, observe=prometheus.observe)
        measuring.live = history.rates
        log_calls = LogCalls(config, records.configure, lambda name: catalogue.resolve(name).name)
        control = Control(
            current,
            hub,
            catalogue,
            supervisor,
            launch,
            discovery,
            urls,
            database.presets,
            database.server,
            database.exits.of,
            [
                fit,
                WorkerCalls(workers, lending),
                KeyCalls(database.keys, keyring),
                RequestCalls(catalogue, history, database.requests, door.journal.capture, door.cancel),
                log_calls,
                EventCalls(hub, database.events, supervisor.instances),
                MetricCalls(current, measuring, database.samples, prometheus),
            ],
            began,
        )
        alerting = Alerting(hub)
        channel = Channel(control.answer, os.getuid())
        watchdog = Watchdog(supervisor, api.listens, door.answers, api.decodes, api.probe)

        def take_over(config: Config) -> None:
            log_calls.take_over(config)
            supervisor.configure(
                _limits(config),
                budget,
                ttl=config.residency.ttl,
                load_timeout=config.residency.load_timeout,
                hold=config.restart.first,
                restart=_restart(config),
            )
            door.configure(
                default=config.models.default,
                max_body=config.http.max_body,
                drain=config.residency.drain,
                connections=config.http.connections,
            )
            door.journal.capture.configure(config.requests.capture, config.requests.capture_size)
            watchdog.configure(config.restart.wedge_after, config.restart.wedged)
            alerting.configure(config.alerts)
            needs.changed()
            discovery.again()
            tiers = [(tier.step, tier.keep) for tier in config.metrics.tiers]
            database.samples.configure(config.metrics.history, tiers)
            measuring.configure(config.metrics.interval)
            prometheus.per_key = config.metrics.per_key

        def read_along(config: Config) -> None:
            http, access = config.http, config.access
            door.gate.configure(
                anonymous=access.anonymous, rate=access.rate, tokens=tokens(access), origins=origins(http)
            )
            if certificate is not None and http.tls_cert is not None:
                certificate.again(http.tls_cert, http.tls_key)

        context = None if certificate is None else certificate.context
        current.follow(take_over)
        adopted: list[tuple[Model, LlamaServer]] = []
        current.read_along(read_along)
        follower = Follower(
            directories.log,
            directories.runs,
            records,
            hub,
            log_calls,
            lambda: [each.model for each in supervisor.instances() if isinstance(each.phase, Alive)],
        )
        control.services = services = Services(
            [
                Service("journal", partial(journal.run, hub.tell)),
                Service("exits", ExitBook(hub, database.exits, supervisor.instances).run),
                Service("footprints", partial(_learn, launch, needs, analyst, hub, adopted)),
                Service("workers", workers.run),
                Service("lending", partial(lending.run, hub)),
                Service("supervisor", supervisor.run, vital=True),
                Service("control", partial(channel.serve, control_socket)),
                Service("web", partial(web.serve, control.answer, directories.web_socket, guests)),
                Service("watchdog", watchdog.run),
                Service("history", history.run),
                Service("door", partial(door.serve, list(listeners.values()), context)),
                Service("keys", keyring.run),
                Service("guests", guests.run),
                Service("alerts", alerting.run),
                Service("learning", learning.run),
                Service("discovery", discovery.run),
                Service("keeping", keeping.run),
                Service("metrics", measuring.run),
                Service("logs", follower.run),
            ],
            hub,
        )
        for name in inherited.pinned if inherited else ():
            supervisor.pin(name)

        def hand_over() -> Inherited:
            return Inherited(
                pid_file=pid_file.fileno(),
                control=control_socket.fileno(),
                listeners={spec: listener.fileno() for spec, listener in listeners.items()},
                last_event=hub.last,
                pinned=supervisor.pinned,
                began=control.began,
                models={name: msgspec.Raw(msgspec.json.encode(past)) for name, past in supervisor.pasts().items()},
            )

        def close() -> None:
            supervisor.keeps = True  # should even the execution fail
            journal.close()
            database.close()
            gpus.close()
            records.flush()

        async def make_way() -> None:
            await clear(door, current().residency.drain)
            await channel.leave()

        again = Reexec(make_way, lambda: services.stopping, close, hand_over)
        control.reexec = again.ask
        async with anyio.create_task_group() as group:
            await group.start(_obey_signals, services, door)
            await group.start(again.obey_signals)
            await group.start(obey_hangups, current, services.stop)
            obey_again()
            patience = config.residency.load_timeout
            adopted += await adopt(directories.sockets, catalogue, supervisor, launch.outdated, patience, group)
            known = remember(inherited.models, catalogue, supervisor) if inherited else {}
            async with anyio.create_task_group() as running:
                await running.start(services.run)
                log.info("llamactl %s serves on %s", __version__, ", ".join(urls))
                gc.freeze()  # what is here now stays: the collector need not look at it again
                up()
                for name in [name for name, past in known.items() if past.begun]:
                    supervisor.begin(catalogue.resolve(name), known[name].ttl)
                group.start_soon(again.run)
            journal.close()
            log.info("llamactl ended")
            group.cancel_scope.cancel()
    finally:
        database.close()
        gpus.close()
        directories.control_socket.unlink(missing_ok=True)
        for listener in (control_socket, *listeners.values()):
            listener.close()


async def _learn(
    launch: Launch,
    needs: Needs,
    analyst: Analyst,
    hub: Hub,
    adopted: list[tuple[Model, LlamaServer]],
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """What models take. The GPUs are known before anything is started."""
    with suppress(NotFound, Refused):  # whoever starts a model will be told
        await needs.engine(launch.executable())
    async with anyio.create_task_group() as group:
        await group.start(analyst.run, hub)
        while adopted:
            group.start_soon(needs.adopted, *adopted.pop())
        await needs.run(hub, task_status=task_status)


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


def _limits(config: Config) -> Limits:
    residency = config.residency
    return Limits(
        budget={HOST: residency.memory or 0},
        max_models=residency.max_models,
        queue_per_model=residency.queue_per_model,
        queue_total=residency.queue_total,
        max_wait=residency.max_wait,
        groups=tuple(map(Group.read, residency.groups)),
    )


def _restart(config: Config) -> Policy:
    return Policy(**{name: getattr(config.restart, name) for name in Policy.__struct_fields__})


def _has_uvloop() -> bool:
    with suppress(ImportError):
        import uvloop  # noqa: F401  # only whether it is there

        return True
    return False
