"""`/metrics`: what was measured, for Prometheus."""

from aiohttp import web

from llamactl.rpc.calls import Ask, ExportMetrics
from llamactl.web.caller import caller_of, demand


def add(app: web.Application, ask: Ask) -> None:
    async def metrics(request: web.Request) -> web.Response:
        call = ExportMetrics()
        demand(caller_of(request), call)
        text: str = await ask(call)
        return web.Response(body=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app.router.add_get("/metrics", metrics)
