"""The gateway process: the parts put together, each in a task of its own."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack

from django.conf import settings

from chats import wakeup
from chats.models import DeliveryStatus
from chats.services.deliveries import Delivery
from chats.services.identifiers import new_branch, new_sip_call_id
from chats.services.incoming import Projection
from chats.services.message_types import OF_TRANSFERS, SENT_AWAY
from sipgateway.arrivals import Arrival
from sipgateway.bridge import SOCKET_NAME, Bridge
from sipgateway.bridge_sweep import BridgeSweep
from sipgateway.configuration import Configuration
from sipgateway.database import Database
from sipgateway.desks import expire_desk_leases
from sipgateway.exposures import Exposures
from sipgateway.figures import GatewayFigures
from sipgateway.flows import Flow, Flows, split_address
from sipgateway.followups import NO_CREDENTIALS, Credentials
from sipgateway.gauges import register_gauges
from sipgateway.heartbeats import Heartbeats
from sipgateway.housekeeping import COMMITS_ARE_STALE_AFTER, Housekeeping
from sipgateway.intake import Intake
from sipgateway.journal import Journaled, JournalWriter
from sipgateway.journal_queue import JournalQueue
from sipgateway.listeners import Listeners
from sipgateway.onward import Onward
from sipgateway.outgoing import Outgoing
from sipgateway.overload import Overload
from sipgateway.passing_back import PassingBack
from sipgateway.peer_certificates import PeerCertificates
from sipgateway.precedence import place_of
from sipgateway.presence import Presence
from sipgateway.projector import Projector
from sipgateway.routes import Routes
from sipgateway.sender import OutboxSender
from sipgateway.testcalls import TakenTests
from sipgateway.transfers import Transfers

logger = logging.getLogger(__name__)

EXPIRE_TRANSACTIONS_EVERY = 0.5
LOOK_AT_LOAD_EVERY = 1.0
WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  (compared with, not bound to)


class Gateway:
    """One SIP gateway: listens, journals, projects, sends."""

    def __init__(self, *, host: str, port: int, sips_port: int, database_url: str) -> None:
        self._database_url = database_url
        self._loop = asyncio.get_running_loop()
        self._name = f"{socket.gethostname()[:50]}:sip:{port}"
        clock = self._loop.time
        self._presence = Presence()
        self._figures = GatewayFigures()
        self._queue = JournalQueue(
            lambda arrival: place_of(arrival, self._presence),
            given_up=lambda arrival: self._intake.give_up(arrival),
        )
        self._overload = Overload(
            self._queue,
            self._presence,
            copes_with_503=lambda trunk: (
                self._configuration().trunk_of(trunk).upstream_copes_with_503
            ),
            arrivals=lambda: self._figures.arrivals,
            clock=clock,
            wall_clock=time.time,
        )
        self._outgoing = Outgoing(clock)
        self._flows = Flows(self._outgoing.lose)
        self._journal = JournalWriter(
            self._database("journal"),
            self._queue,
            acknowledge=self._acknowledge,
            hand_over=self._hand_over,
            is_behind=lambda: self._projector.is_behind,
            figures=self._figures,
        )
        self._projector = Projector(
            self._database("projector"),
            configuration=self._configuration,
            projected=self._projected,
            clock=clock,
            beats_between=self._presence.beats_between,
        )
        self._tests = TakenTests(clock)
        self._passing_back = PassingBack(self._outgoing, lambda: self._routes)
        self._intake = Intake(
            journal=self._journal,
            presence=self._presence,
            passing_back=self._passing_back,
            outgoing=self._outgoing,
            configuration=self._configuration,
            commits_succeed=self._commits_succeed,
            overload=self._overload,
            figures=self._figures,
            tests=self._tests,
            clock=clock,
        )
        self._peer_certificates = PeerCertificates()
        self._listeners = Listeners(
            host=host,
            sip_port=port,
            sips_port=sips_port,
            flows=self._flows,
            intake=self._intake,
            seen=self._peer_certificates.note,
        )
        self._routes = Routes(
            self._flows,
            self._listeners,
            way_out=lambda trunk: self._configuration().way_out(trunk),
            host=_named_host(host),
            clock=clock,
        )
        self._exposures = Exposures(self._database("exposures"), recorded=_wake_screens)
        self._sender = OutboxSender(
            self._database("outbox"),
            name=self._name,
            outgoing=self._outgoing,
            routes=self._routes,
            public_uri=lambda: self._configuration().public_uri,
            credentials_for=self._credentials_for,
            way_of=self._presence.way_of,
            ended=self._presence.forget,
            dismissed=self._presence.dismiss,
            reached=self._presence.reached,
            recorded=self._recorded,
            exposed=self._exposures.note,
        )
        self._bridge_sweep = BridgeSweep(
            self._database("bridged"),
            configuration=self._configuration,
            take_up=self._projector.take_up,
        )
        self._bridge = Bridge(
            settings.ENVIRONMENT.runtime_dir / SOCKET_NAME,
            receive=self._intake.receive,
            journaled=self._bridge_sweep.wake,
            lost=self._outgoing.lose,
        )
        self._flows.serve_bridged(self._bridge.flow)
        self._onward = Onward(
            outgoing=self._outgoing,
            routes=self._routes,
            configuration=self._configuration,
            listening_since=lambda: self._housekeeping.listening_since,
            exposed=self._exposures.note,
            relayed_over=self._passing_back.relayed_over,
            changed=self._custody_changed,
        )
        self._transfers = Transfers(
            listening_since=lambda: self._housekeeping.listening_since,
            changed=self._custody_changed,
        )
        self._heartbeats = Heartbeats(
            self._presence,
            self._outgoing,
            self._routes,
            public_uri=lambda: self._configuration().public_uri,
            interval=lambda: self._configuration().heartbeat_interval,
            clock=clock,
            new_id=new_sip_call_id,
            new_branch=new_branch,
        )
        self._housekeeping = Housekeeping(
            self._database("housekeeping"),
            self._presence,
            name=self._name,
            take_up=self._projector.take_up,
            projector_is_busy=lambda: self._projector.is_busy,
            chats_changed=_wake_screens,
            outbox_filled=self._sender.wake,
            expire_leases=expire_desk_leases,
            figures=self._figures.snapshot,
            configured=self._listeners.follow,
            flush_more=self._peer_certificates.flush,
            clock=clock,
        )

        register_gauges(
            self._figures,
            queue=self._queue,
            journal=self._journal,
            projector=self._projector,
            presence=self._presence,
            flows=self._flows,
            outgoing=self._outgoing,
            overload=self._overload,
        )
        self._figures.refusals = self._intake.refusals.counts

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raises OSError when a port is taken."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, stop.set)
        async with AsyncExitStack() as stack:
            stack.callback(self._listeners.close)
            await self._listeners.begin()
            await self._bridge.listen()
            stack.push_async_callback(self._bridge.close)
            tasks = [asyncio.create_task(work) for work in self._work()]
            stack.callback(lambda: [task.cancel() for task in tasks])
            stopping = asyncio.create_task(stop.wait())
            done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()  # a dead task ends the process; the supervisor starts it anew

    def _work(self) -> list[Coroutine[None, None, None]]:
        return [
            self._journal.run(),
            self._project(),
            self._outgoing.run(),
            self._expire_transactions(),
            self._look_at_load(),
            self._exposures.run(),
            wakeup.listen(wakeup.OUTBOX, self._sender.wake),
            wakeup.listen(wakeup.TRANSFERS, self._transfers_moved),
        ]

    async def _project(self) -> None:
        """Take up what a crash left, then start everything that works on the record."""
        await self._housekeeping.start()
        await self._remember()
        self._intake.begin()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._projector.run())
            group.create_task(self._sender.run())
            group.create_task(self._sender.run_marking(self._database("deliveries")))
            group.create_task(self._heartbeats.run())
            group.create_task(self._bridge_sweep.run())
            group.create_task(self._onward.run())
            group.create_task(self._onward.run_deadlines())
            group.create_task(self._transfers.run())
            group.create_task(self._housekeeping.run())
            group.create_task(self._housekeeping.run_leases())

    async def _expire_transactions(self) -> None:
        while True:
            await asyncio.sleep(EXPIRE_TRANSACTIONS_EVERY)
            self._intake.expire()

    async def _look_at_load(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AT_LOAD_EVERY)
            self._overload.look()

    async def _remember(self) -> None:
        """Read what is kept in memory alone: tests taken of late, apps that are elsewhere."""
        database = self._database("memory")

        async def load_tests() -> None:
            await self._tests.load(await database.connection(), self._configuration())

        async def load_redirects() -> None:
            await self._passing_back.load(await database.connection())

        await database.retry(load_tests)
        await database.retry(load_redirects)
        await database.close()

    def _transfers_moved(self) -> None:
        self._transfers.wake()
        self._onward.wake()

    def _custody_changed(self) -> None:
        self._sender.wake()
        self._onward.wake()
        _wake_screens()

    def _database(self, name: str) -> Database:
        return Database(self._database_url, name)

    def _configuration(self) -> Configuration:
        return self._housekeeping.configuration

    def _credentials_for(self, flow: Flow, trunk: str) -> Credentials:
        """Give the trunk's password to the trunk alone: any app could ask us to prove it."""
        settings = self._configuration().way_out(trunk)
        host, _ = split_address(flow.peer)
        if not (settings.trusts(host) or self._routes.is_of_proxy(flow, trunk)):
            return NO_CREDENTIALS
        return Credentials(settings.username, settings.password)

    def _commits_succeed(self) -> bool:
        """Where there is no room for a row more, a sign of life can still be written over."""
        stuck = self._journal.stuck_for > COMMITS_ARE_STALE_AFTER
        return self._housekeeping.commits_succeed() and not stuck

    def _acknowledge(self, arrival: Arrival) -> None:
        self._presence.committed(arrival)
        self._intake.acknowledge(arrival)

    def _hand_over(self, journaled: Journaled) -> None:
        self._projector.hand_over(journaled)

    def _projected(self, projection: Projection) -> None:
        due = self._loop.time() + self._configuration().heartbeat_interval
        self._presence.learn(projection.chats, due)
        self._passing_back.learn(projection.chats)
        if projection.errands:
            wakeup.publish(wakeup.ERRANDS)
        if projection.queued_answers:
            self._sender.wake()
        if projection.relays:
            self._onward.wake()
        if projection.transfers:
            self._transfers.wake()
        _wake_screens()

    def _recorded(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._figures.deliveries[delivery.status.value] += 1
            if delivery.status is DeliveryStatus.DELIVERED:
                if delivery.msg_type not in SENT_AWAY:
                    self._presence.mark_greeted(delivery.chat_id)
            if delivery.msg_type in OF_TRANSFERS:
                self._transfers.wake()
        _wake_screens()


def _wake_screens() -> None:
    wakeup.publish(wakeup.EVENTS)


def _named_host(host: str) -> str:
    """Name ourselves in Via: the bound address, else the host's name."""
    return socket.getfqdn() if host in WILDCARDS else host


async def serve() -> None:
    """Run the gateway of this instance."""
    environment = settings.ENVIRONMENT
    gateway = Gateway(
        host=environment.host,
        port=environment.sip_port,
        sips_port=environment.sips_port,
        database_url=environment.database_url,
    )
    await gateway.run()
