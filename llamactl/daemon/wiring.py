"""Who is in the daemon and who knows whom, in the order a reader would draw it. Nothing runs yet."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import anyio
from anyio.abc import TaskStatus

from llamactl.catalogue import Catalogue
from llamactl.config.sections import Config
from llamactl.core.errors import NotFound, Refused
from llamactl.core.instance import Alive
from llamactl.core.model import HOST, Model
from llamactl.core.restart import Policy
from llamactl.core.scheduler import Group, Limits
from llamactl.daemon.alerting import Alerting
from llamactl.daemon.analysis import Analyst
from llamactl.daemon.budget import Budget
from llamactl.daemon.control import Control
from llamactl.daemon.control.database import DatabaseCalls
from llamactl.daemon.control.events import EventCalls
from llamactl.daemon.control.fit import FitCalls
from llamactl.daemon.control.keys import KeyCalls
from llamactl.daemon.control.logs import LogCalls
from llamactl.daemon.control.metrics import MetricCalls
from llamactl.daemon.control.requests import RequestCalls
from llamactl.daemon.control.surroundings import SurroundingsCalls
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
from llamactl.daemon.listening import Listening
from llamactl.daemon.measuring import sampler
from llamactl.daemon.names import Names
from llamactl.daemon.needs import Needs
from llamactl.daemon.notify import Notify
from llamactl.daemon.reexec import Inherited
from llamactl.daemon.reload import Current
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
from llamactl.rpc.server import Channel
from llamactl.store import Database
from llamactl.supervisor import Supervisor, Watchdog
from llamactl.web import app as web
from llamactl.web.guests import Guests


class Parts(NamedTuple):
    """Those that the life of the daemon deals with itself. The rest is reached by `services`."""

    hub: Hub
    journal: Journal
    current: Current
    catalogue: Catalogue
    launch: Launch
    supervisor: Supervisor
    gpus: Gpus
    door: Door
    control: Control
    channel: Channel
    workers: Workers
    services: Services
    adopted: list[tuple[Model, LlamaServer]]
    """To be told what has been adopted and serves."""

    def close(self) -> None:
        self.gpus.close()


def wire(
    config: Config,
    read: Callable[[], Config],
    database: Database,
    listening: Listening,
    records: Records,
    inherited: Inherited | None,
    notify: Notify,
) -> Parts:
    directories = config.directories
    gpus = Gpus(lambda: budget.devices, time.monotonic)
    journal = Journal(database.events)
    hub = Hub(last=max(database.events.last(), inherited.last_event if inherited else 0), keep=journal.take)
    current = Current(config, read, hub, notify.reloading)
    catalogue = Catalogue(database.models, hub.publish)
    launch = Launch(current, database.server.get, database.presets.get)
    budget = Budget(lambda: current().residency, gpus=gpus.budgets)
    launch.needs = needs = Needs(
        launch.values, database.footprints, budget, host.private_memory, database.changes, gpus.held
    )
    supervisor = Supervisor(launch, hub, _limits(config), needs)
    keeping = Keeping(config.models, hub, catalogue, supervisor, api.probe, inherited.models if inherited else ())
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
    guests = Guests()
    keyring = Keyring(database.keys, door, guests, hub.publish)
    keyring.admit()
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
        listening.urls,
        database.presets,
        database.server,
        database.exits.of,
        learning.props,
        measuring.rate,
        [
            fit,
            WorkerCalls(workers, lending, directories.worker_runs),
            KeyCalls(database.keys, keyring),
            RequestCalls(catalogue, history, database.requests, door.journal.capture, door.cancel),
            log_calls,
            EventCalls(hub, database.events, supervisor.instances),
            MetricCalls(current, measuring, database.samples, prometheus),
            SurroundingsCalls(lambda: gpus.measure(())),
            DatabaseCalls(directories.database),
        ],
        began,
    )
    alerting = Alerting(hub)
    names = Names(directories.names, lambda: (catalogue.models(), database.presets.all(), database.keys.all()))
    database.on_renamed(names.changed)
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
        door.gate.configure(anonymous=access.anonymous, rate=access.rate, tokens=tokens(access), origins=origins(http))
        if listening.certificate is not None and http.tls_cert is not None:
            listening.certificate.again(http.tls_cert, http.tls_key)

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
            Service("control", partial(channel.serve, listening.control)),
            Service("web", partial(web.serve, control.answer, directories.web_socket, guests)),
            Service("watchdog", watchdog.run),
            Service("history", history.run),
            Service("door", partial(door.serve, listening.front, listening.context)),
            Service("keys", keyring.run),
            Service("guests", guests.run),
            Service("alerts", alerting.run),
            Service("learning", learning.run),
            Service("discovery", discovery.run),
            Service("names", names.run),
            Service("keeping", keeping.run),
            Service("metrics", measuring.run),
            Service("logs", follower.run),
        ],
        hub,
    )
    return Parts(
        hub=hub,
        journal=journal,
        current=current,
        catalogue=catalogue,
        launch=launch,
        supervisor=supervisor,
        gpus=gpus,
        door=door,
        control=control,
        channel=channel,
        workers=workers,
        services=services,
        adopted=adopted,
    )


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
