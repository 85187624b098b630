"""What is measured, and of whom."""

import time

from llamactl.core.instance import Ready
from llamactl.daemon.discovery import Discovery
from llamactl.hub import Hub
from llamactl.metrics.gpus import Gpus
from llamactl.metrics.host import HostMeter
from llamactl.metrics.sampler import Sampler
from llamactl.metrics.servers import Running, Servers
from llamactl.store import Samples
from llamactl.supervisor import Supervisor


def sampler(
    hub: Hub, samples: Samples, supervisor: Supervisor, discovery: Discovery, gpus: Gpus, began: float | None
) -> Sampler:
    """Of this machine, with the file systems of the models, and of the llama-servers that serve."""

    def running() -> list[Running]:
        return [
            Running(
                model=one.model,
                pid=one.phase.pid,
                endpoint=supervisor.endpoint(one.model),
                leases=one.leases,
                requests=one.requests,
            )
            for one in supervisor.instances()
            if isinstance(one.phase, Ready)
        ]

    def requests() -> int:
        return sum(one.requests for one in supervisor.instances())

    host = HostMeter(discovery.directories, time.monotonic)
    return Sampler(hub, samples.put, running, requests, host, gpus, Servers(), began=began)
