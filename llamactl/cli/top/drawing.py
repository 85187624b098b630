"""The view as so many rows of so many columns."""

import time

import msgspec
from rich.text import Text

from llamactl.cli.top.gauges import machine
from llamactl.cli.top.looking import Looking, choice, rate, shown
from llamactl.cli.top.pictures import Glyphs
from llamactl.cli.top.view import View
from llamactl.core.events import Placement
from llamactl.core.requests import ModelRequest
from llamactl.core.units import show_duration, show_size
from llamactl.core.waiting import percent
from llamactl.rpc.calls import InstanceRow

STATES = {
    "ready": "green",
    "starting": "yellow",
    "loading": "yellow",
    "stopping": "yellow",
    "backoff": "yellow",
    "failed": "red",
    "wedged": "red",
    "stopped": "dim",
    "sleeping": "dim",
}
LEVELS = {"error": "red", "warn": "yellow", "info": "", "debug": "dim"}
HELP = "q quit  ↑↓ choose  s start  x stop  o order  / filter  p pause"


OPTIONAL = 10
"""The rank from which on a column makes room for a long name; those below it go where not even a short one has any."""
LEAST_NAME = 16


class Column(msgspec.Struct, frozen=True):
    """`width` 0: what the others leave. Those of the greatest `rank` go first where there is no room."""

    title: str
    width: int = 0
    right: bool = False
    rank: int = 0


MODELS = (
    Column("MODEL"),
    Column("STATE", 12),
    Column("TOK/S", 6, right=True),
    Column("BUSY", 4, right=True),
    Column("QUEUE", 5, right=True, rank=2),
    Column("MEMORY", 8, right=True, rank=1),
    Column("TTL", 6, right=True, rank=3),
    Column("FOR", 6, right=True, rank=OPTIONAL),
    Column("REQUESTS", 8, right=True, rank=OPTIONAL + 1),
    Column("RESTARTS", 8, right=True, rank=OPTIONAL + 2),
)
REQUESTS = (
    Column("REQUEST", 14),
    Column("MODEL"),
    Column("STATE", 9),
    Column("QUEUED", 7, right=True),
    Column("FIRST", 7, right=True),
    Column("FOR", 7, right=True),
    Column("FROM", 16, rank=OPTIONAL),
    Column("ENDPOINT", 18, rank=OPTIONAL + 1),
)


def screen(view: View, looking: Looking, width: int, height: int, glyphs: Glyphs) -> list[Text]:
    """Exactly `height` rows."""
    top = [_head(view, looking) + _where(view), *machine(view, width, max(1, height // 8), glyphs)]
    decided = _decided(view)
    room = max(0, height - len(top) - len(decided) - 1)
    asked = min(len(view.requests) + 2, room // 3) if view.requests else 0
    models = min(max(len(shown(looking, view)), 1) + 2, max(3, (room - asked) * 3 // 5))
    log = room - asked - models
    rows = [
        *top,
        *_models(view, looking, width, models, glyphs),
        *decided,
        *_requests(view, width, asked, glyphs),
        *_log(view, width, log, glyphs),
    ][: height - 1]
    rows += [Text()] * (height - 1 - len(rows))
    rows.append(_foot(looking, glyphs))
    for row in rows:
        row.truncate(width)
    return rows


def report(view: View, width: int, glyphs: Glyphs) -> list[Text]:
    """As many rows as it takes: what `status` says."""
    running = [row for row in view.models if row.state != "stopped"]
    head, where = _head(view, Looking()), _where(view)
    rows = [
        *([head + where] if len(head) + len(where) <= width else [head, where]),
        *machine(view, width, 1000, glyphs),
    ]
    if running:
        only = msgspec.structs.replace(view, models=running)
        rows += _models(only, Looking(), width, len(running) + 2, glyphs, choosing=False)
    rows += _decided(view)
    if view.requests:
        rows += _requests(view, width, len(view.requests) + 2, glyphs)
    for row in rows:
        row.rstrip()
    return rows


def _head(view: View, looking: Looking) -> Text:
    status = view.status
    ready = sum(row.state == "ready" for row in view.models)
    head = Text(f"llamactl {status.version}", style="bold")
    head.append(f"  up {show_duration(status.uptime)}  {ready} of {len(view.models)} ready", style="not bold")
    if looking.paused:
        head.append("  PAUSED", style="reverse")
    for service in status.services:
        if service.state != "up":
            head.append(f"  {service.name} is {service.state}", style="bold red")
    for alert in view.alerts.values():
        head.append(f"  ALERT {alert.series} > {alert.limit:g}{alert.unit}", style="bold red")
    return head


def _where(view: View) -> Text:
    return Text(f"  {', '.join(view.status.http)}", style="not bold")


def _models(
    view: View, looking: Looking, width: int, height: int, glyphs: Glyphs, *, choosing: bool = True
) -> list[Text]:
    rows, chosen = shown(looking, view), choice(looking, view) if choosing else ""
    room = max(0, height - 2)
    at = next((number for number, row in enumerate(rows) if row.name == chosen), 0)
    first = max(0, min(at - room // 2, len(rows) - room))
    title = f"models by {looking.order}" + (f", with {looking.filter!r}" if looking.filter else "")
    if len(rows) > room:
        title += f", {first + 1} to {first + room} of {len(rows)}"
    longest = max((len(row.name) for row in rows), default=0)
    columns, widths = _fitting(MODELS, width - 2, min(longest, 40))
    drawn = [_rule(title, width, glyphs), _line([column.title for column in columns], columns, widths, "  ", "bold")]
    if not rows:
        drawn.append(Text("  no model is called so" if looking.filter else "  no models: llamactl models add FILE"))
    served = {one.model: one for one in view.sample.models} if view.sample else {}
    for row in rows[first : first + room]:
        speed = rate(served.get(row.name))
        cells = {
            "MODEL": row.name,
            "STATE": _state(row),
            "TOK/S": "-" if speed is None else f"{speed:.1f}",
            "BUSY": str(row.leases),
            "QUEUE": str(row.waiting),
            "MEMORY": show_size(sum(row.memory.values())) if row.memory else "-",
            "TTL": "pinned" if row.pinned else _duration(row.ttl),
            "FOR": _duration(row.age),
            "REQUESTS": str(row.requests),
            "RESTARTS": str(row.restarts),
        }
        mark = f"{glyphs.chosen} " if row.name == chosen else "  "
        line = _line([cells[column.title] for column in columns], columns, widths, mark)
        begin = 2 + widths[0] + 1
        line.stylize(STATES.get(cells["STATE"].split(" ")[0], ""), begin, begin + widths[1])
        if row.name == chosen:
            line.stylize("bold")
        drawn.append(line)
    return drawn[:height]


def _state(row: InstanceRow) -> str:
    """With how far it is, by what loads took before, or what it waits for."""
    if row.wedged is not None:
        return "wedged"
    if row.sleeping:
        return "sleeping"
    if row.state in ("starting", "loading") and (done := percent(row.age, row.eta, row.loaded)) is not None:
        return f"{row.state} {done}%"
    if row.state == "backoff" and row.next_try is not None:
        return f"backoff {show_duration(row.next_try)}"
    if row.position:
        return f"{row.state} #{row.position}"
    return row.state


def _decided(view: View) -> list[Text]:
    """What was last decided about a place in memory."""
    told = view.decided
    if told is None or not isinstance(decision := told.event, Placement):
        return []
    at = time.strftime("%H:%M:%S", time.localtime(told.at))
    return [Text(f"  {at} {decision.model}: {decision.action}: {decision.reason}", style="dim")]


def _requests(view: View, width: int, height: int, glyphs: Glyphs) -> list[Text]:
    if height < 3:
        return [_rule(f"{len(view.requests)} requests under way", width, glyphs)] if height else []
    columns, widths = _fitting(REQUESTS, width - 2, LEAST_NAME)
    title = f"{len(view.requests)} request{'' if len(view.requests) == 1 else 's'} under way"
    drawn = [_rule(title, width, glyphs), _line([column.title for column in columns], columns, widths, "  ", "bold")]
    for request in view.requests[: height - 2]:
        cells = _cells(request)
        drawn.append(_line([cells[column.title] for column in columns], columns, widths, "  "))
    return drawn


def _cells(request: ModelRequest) -> dict[str, str]:
    return {
        "REQUEST": request.id,
        "MODEL": request.model,
        "STATE": request.state,
        "QUEUED": f"{request.queued:.1f}s",
        "FIRST": "-" if request.first is None else f"{request.first:.2f}s",
        "FOR": _duration(request.duration),
        "FROM": request.key or request.client,
        "ENDPOINT": request.endpoint,
    }


def _log(view: View, width: int, height: int, glyphs: Glyphs) -> list[Text]:
    if height < 2:
        return [Text()] * height
    drawn = [_rule("log", width, glyphs)]
    for line in list(view.lines)[-(height - 1) :]:
        # What others wrote must not reach the terminal as anything but letters.
        text = "".join(letter if letter.isprintable() else " " for letter in f"{line.source}: {line.text}")
        drawn.append(Text(text, style=LEVELS[line.level]))
    return drawn


def _foot(looking: Looking, glyphs: Glyphs) -> Text:
    if looking.typing:
        return Text(f"filter: {looking.filter}_   Enter keeps it, Esc drops it", style="bold")
    keys = HELP if glyphs.full == "█" else HELP.replace("↑↓", "j k")
    foot = Text(keys, style="dim")
    if looking.message:
        foot = Text(looking.message, style="bold").append(f"   {keys}", style="dim not bold")
    return foot


def _rule(title: str, width: int, glyphs: Glyphs) -> Text:
    return Text(f"{glyphs.rule} {title} {glyphs.rule * max(0, width - len(title) - 3)}", style="cyan")


def _fitting(columns: tuple[Column, ...], width: int, least: int) -> tuple[list[Column], list[int]]:
    """Those for which there is room when a name has at least so much, with their widths."""
    left = list(columns)

    def rest() -> int:
        return width - sum(column.width + 1 for column in left if column.width)

    while rest() < least and (last := max(left, key=lambda column: column.rank)).rank:
        if last.rank < OPTIONAL and rest() >= min(least, LEAST_NAME):
            break
        left.remove(last)
    return left, [column.width or max(4, rest()) for column in left]


def _line(cells: list[str], columns: list[Column], widths: list[int], mark: str, style: str = "") -> Text:
    parts = [
        cell[:width].rjust(width) if column.right else cell[:width].ljust(width)
        for cell, column, width in zip(cells, columns, widths, strict=True)
    ]
    return Text(mark + " ".join(parts), style=style)


def _duration(seconds: float | None) -> str:
    return "-" if seconds is None else show_duration(seconds)
