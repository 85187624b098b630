"""All routes of `/api`."""

from aiohttp import web

from llamactl.rpc.calls import Ask
from llamactl.web.api import config, events, instances, logs, models, monitoring, openapi, requests, status, templates
from llamactl.web.api.route import Route
from llamactl.web.guests import Guests


def routes(guests: Guests) -> list[Route]:
    known = [
        *models.ROUTES,
        *instances.ROUTES,
        *templates.ROUTES,
        *config.ROUTES,
        *status.ROUTES,
        *monitoring.ROUTES,
        *requests.ROUTES,
        *logs.ROUTES,
        *events.routes(guests),
    ]
    return [*known, openapi.route(known)]


def add(app: web.Application, ask: Ask, guests: Guests) -> None:
    for route in routes(guests):
        route.add(app, ask)
