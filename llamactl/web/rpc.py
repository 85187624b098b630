"""`POST /rpc`: the calls of the control channel, for who has a key. All but those whose answer goes on.

One that still waits when the daemon executes itself anew (a start, a wait) is answered with 503 and `Retry-After`; what
it began goes on.
"""

from typing import Any

from aiohttp import web

from llamactl.rpc import messages
from llamactl.rpc.calls import Ask, Call
from llamactl.rpc.messages import INVALID_REQUEST, Fault, Question
from llamactl.rpc.server import Stream, outcome_of
from llamactl.web.caller import caller_of, permit

PATH = "/rpc"


def add(app: web.Application, ask: Ask) -> None:
    """It is answered with 200 whatever comes of the calls; with 204 if there is nothing to be said."""

    async def answer(request: web.Request) -> web.Response:
        caller = caller_of(request)

        async def permitted(call: Call[Any]) -> object:
            await permit(caller, call, ask)
            return await ask(call)

        questions, together = messages.parse(await request.read())
        outcomes = [(question, await _outcome(question, permitted)) for question in questions]
        answers = [messages.answer(question.id, outcome) for question, outcome in outcomes if question.reply]
        if not answers:
            return web.Response(status=204)
        body = messages.batch(answers) if together else answers[0]
        return web.Response(body=body, content_type="application/json")

    app.router.add_post(PATH, answer)


async def _outcome(question: Question, ask: Ask) -> object:
    outcome = await outcome_of(question, ask)
    if isinstance(outcome, Stream):
        outcome.close()
        await outcome.then.aclose()
        return Fault(INVALID_REQUEST, "what goes on is not to be had here, but at /llamaproxws")
    return outcome
