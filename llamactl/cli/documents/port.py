"""What llamactld(8) says of the HTTP port: what a client and a watcher write and read there."""

from llamactl.cli.documents.mdoc import items, text

_WAITING = """While a model loads or a request waits for its turn, a streamed answer shows it after 5 s, in comments
that clients skip. The request header X-Llamactl-Wait asks for something else."""
_WAITS = {
    "comments": "Comments, as without the header.",
    "reasoning": "Pieces of reasoning, which a program for chats shows.",
    "none": "Nothing: no answer begins before the model answers.",
    "space": "White space, before an answer that is not streamed, for clients that would hang up.",
}
_WATCHING = """On the WebSocket /llamaproxws each message is {type, data, timestamp, requestId?}, the timestamp in
milliseconds. A watcher that reads too slowly loses the oldest messages, and is told dropped with their count; it costs
the others nothing. One that does not answer a ping within 12 s is sent away. A watcher sends:"""
_SENT = {
    "subscribe": """{topics, since?, interval?, models?, level?, types?}. The answer is subscribed, the present of each
    topic, what happened after the event since, then what happens. Models are globs.""",
    "unsubscribe": "{topics?}. The answer is unsubscribed, with those that are left.",
    "call": """{method, params?}: any call of the control channel, as far as the key goes. The answer is result, or
    error {code, message, hint}.""",
    "ping": "The answer is pong with the same data.",
}
_TOPICS_BEGIN = "When it connects, it gets connection {clientId, version, lastEvent}. Topics are:"
_TOPICS = {
    "metrics": "What was measured, each interval of 1 to 60 s; 10 unless given.",
    "models": "Each change, with whole false; all of them, with whole true, at first and every 30 s.",
    "logs": "Lines of at least level, gathered for 0.2 s.",
    "requests": "Requests that have ended: at first the latest, then each.",
    "status": "The daemon and its services.",
    "events": "Each event (of types) as it is kept, with its number: what since and Last-Event-ID mean.",
}
_OTHERS = """GET /api/events tells the same events as server-sent events; it understands the header Last-Event-ID,
and ?since= and ?type=. Clients of Socket.IO (v4) connect at /llamaproxws, too, where
llamactl-daemon[socketio] is installed."""


_REST = """What the command line does can be done with HTTP and JSON below /api/; GET /api/openapi.json is the OpenAPI
document of all of it. Every answer is {success, data?, error?: {code, message, details}, timestamp}; details says what
to change, the place of what does not fit or what to try next. To look takes the scope observe, to change control, the
configuration and the logger admin; a key for some models is for those here, too. A slash in the name of a model is
written %2F."""
_PATHS = {
    "/api/models": "GET: the catalogue. POST: add files, {models: [{path, name?}]}.",
    "/api/models/{name}": """GET: one model. PUT: change its settings, {settings: {NAME: VALUE or null}}.
    DELETE: take it out; its file stays.""",
    "/api/models/{name}/start": "POST: {ttl?}; ?wait=false, ?timeout=SECONDS.",
    "/api/models/{name}/stop": "POST: {drain?, force?}.",
    "/api/models/{name}/restart": "POST: {drain?, force?}.",
    "/api/models/{name}/analyze": "GET, POST: what memory it needs, with ctx_size and parallel.",
    "/api/models/discover": "POST: look for files, {paths?}.",
    "/api/models/import": "POST: take in what llamactl models export wrote.",
    "/api/llama-server/rescan": "POST: look again for models and for llama-server.",
    "/api/model-templates": "GET, POST: chat templates.",
    "/api/config": "GET, POST: the configuration, {config: {SECTION: {KEY: VALUE or null}}}.",
    "/api/logger/config": "GET, POST: how lines are recorded.",
    "/api/logs": "GET: what models, or the daemon, have written last.",
    "/api/requests": "GET: requests for models, under way and ended.",
    "/api/events": "GET: what happens; see Watching.",
    "/api/health": "GET: 503 when a part of the daemon is not up.",
    "/api/status": "GET: the daemon and what it does.",
    "/api/monitoring": "GET: what was measured last of machine, GPUs and models.",
    "/api/monitoring/latest": "GET: of the machine, as a row of its history.",
    "/api/monitoring/history": "GET: of the machine in the last hours.",
    "/api/openapi.json": "GET: what each of these takes and gives.",
}


def port() -> list[str]:
    return [
        ".Sh THE HTTP PORT",
        ".Ss Waiting",
        *text(_WAITING),
        *_named(_WAITS),
        ".Ss REST",
        *text(_REST),
        *_named(_PATHS),
        ".Ss Watching",
        *text(_WATCHING),
        *_named(_SENT),
        ".Pp",
        *text(_TOPICS_BEGIN),
        *_named(_TOPICS),
        ".Pp",
        *text(_OTHERS),
    ]


def _named(table: dict[str, str]) -> list[str]:
    return items([(f"Cm {name}", text(what)) for name, what in table.items()])
