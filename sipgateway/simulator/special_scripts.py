"""What rarer callers do: tests, machines, enclosures, all shapes, the background, other PSAPs."""

import asyncio
from collections.abc import Awaitable, Callable

from sipgateway.simulator import enclosures, lmpe
from sipgateway.simulator.app import TAKES_UP, SimulatedApp
from sipgateway.simulator.checks import BUSY, Failure, Name
from sipgateway.simulator.pace import LINGER, Plan, end_of, now
from sipgateway.simulator.shapes import SHAPES, Location

TEST_SERVICE = "urn:service:sos.test"
TEST_LINES = 3
TESTED, REFUSED, REPORTED = "tested", "refused", "reported"
"""How a test that was answered, one that was refused with 486 and a machine's report end."""


async def play_test(app: SimulatedApp, plan: Plan) -> str:
    """Start a test call: 200 and an automatic 258 with three lines, or 486 (clause 6.1.2.10)."""
    response = await app.start()
    if response.status == BUSY:
        return REFUSED
    try:
        answer = await app.wait_for_type(lmpe.STOP, plan.patience)
    except TimeoutError:
        app.failures.append(Failure(Name.TEST_UNANSWERED, f"no 258 in {plan.patience:g} s"))
        return "nobody"
    lines = answer.text.split("\r\n")
    if len(lines) < TEST_LINES or not all(lines[:TEST_LINES]) or lines[1] != app.next_target:
        app.failures.append(Failure(Name.TEST_ANSWER_INCOMPLETE, repr(answer.text)))
    await asyncio.sleep(LINGER)
    return TESTED


async def play_bot(app: SimulatedApp, plan: Plan) -> str:
    """Report an alert and readings outside of a session; nobody answers a machine (Annex D.3)."""
    await app.report(enclosures.alert(app.persona.uri, app.location))
    await app.report(enclosures.readings(app.persona.element))
    await asyncio.sleep(plan.duration)
    if app.received:
        app.failures.append(Failure(Name.BOT_ANSWERED, app.received[0].text))
    return REPORTED


async def shapes(app: SimulatedApp, plan: Plan) -> str:
    """Tell of another shape of the same place with each text."""
    here = app.persona.walk.here
    for shape in SHAPES:
        app.location = Location(here.latitude, here.longitude, 40.0, "Device-Hybrid_A-GPS", shape)
        await app.say(shape)
        await asyncio.sleep(plan.duration / len(SHAPES))
    return await end_of(app, None)


async def attachments(app: SimulatedApp, plan: Plan) -> str:
    """Send a picture, a file, and both with a text."""
    picture, file = enclosures.picture(), enclosures.file()
    for text, enclosed in (("", [picture]), ("", [file]), ("Both", [picture, file])):
        await app.say(text, enclosed=enclosed)
        await asyncio.sleep(plan.duration / 3)
    return await end_of(app, None)


async def data(app: SimulatedApp, plan: Plan) -> str:
    """Send every block of RFC 7852, and a DID with each message."""
    did = ("Call-Info", "<did:example:123456789abcdefghi>; purpose=EmergencyCallData.DID")
    app.proxy_headers.append(did)
    blocks = [
        enclosures.provider(),
        enclosures.service(),
        enclosures.device(),
        enclosures.comment(),
    ]
    await app.say(app.persona.texts[1], enclosed=blocks)
    await asyncio.sleep(plan.duration)
    return await end_of(app, None)


async def background(app: SimulatedApp, plan: Plan) -> str:
    """Go into the background, beat as inactive/388 from there, and come back with a text."""
    await app.say(app.persona.texts[1])
    until = now() + plan.duration
    while now() < until and not app.ended_by_psap:
        await app.heartbeat(inactive=True)
        await asyncio.sleep(min(plan.heartbeat, plan.duration / 3))
    if not app.ended_by_psap:
        await app.say(app.persona.texts[-1])
    return await end_of(app, None)


async def redirect(app: SimulatedApp, plan: Plan) -> str:
    """Wait to be redirected (274), go over with 273, and write to whoever answers with 257."""
    missing = "never redirected"
    try:
        told = await app.wait_for_type(lmpe.STOP_REDIRECT, plan.duration)
        missing = "still stalled"
        before = app.received.index(told) + 1
        await app.wait_for(lambda m: m.msg_type in TAKES_UP, plan.patience, after=before)
    except TimeoutError:
        app.failures.append(Failure(Name.REDIRECT_UNFINISHED, missing))
        return "nobody"
    await app.say(app.persona.texts[1])
    return await end_of(app, None)


async def transfer(app: SimulatedApp, plan: Plan) -> str:
    """Write until handed over (266), wait for the transferee's 265, and write to it."""
    peer, missing = app.next_target, "never transferred"
    try:
        told = await app.wait_for_type(lmpe.STOP_TRANSFER, plan.duration)
        missing = "no 265"
        before = app.received.index(told) + 1
        await app.wait_for(
            lambda m: m.msg_type == lmpe.START_TRANSFER, plan.patience_with_transfers, after=before
        )
    except TimeoutError:
        app.failures.append(Failure(Name.TRANSFER_UNFINISHED, missing))
        return "nobody"
    if app.next_target == peer:
        app.failures.append(Failure(Name.TRANSFER_UNFINISHED, "taken back"))
    await app.say(app.persona.texts[1])
    await asyncio.sleep(LINGER)
    return await end_of(app, None)


SPECIAL: dict[str, Callable[[SimulatedApp, Plan], Awaitable[str]]] = {
    "attachments": attachments,
    "background": background,
    "data": data,
    "redirect": redirect,
    "shapes": shapes,
    "transfer": transfer,
}
"""Scripts of chats that begin as any other."""

WHOLE: dict[str, Callable[[SimulatedApp, Plan], Awaitable[str]]] = {
    "bot": play_bot,
    "test": play_test,
}
"""Scripts without a greeting."""

OPENINGS = {"test": lmpe.STOP}
DIALLED = {"test": TEST_SERVICE}
"""What differs when such a caller is made: the PSAP's first message, and what is dialled."""
