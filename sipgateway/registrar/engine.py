"""pjsua2, and nothing else of ours: accounts in it, what they are told, what they send.

The only module that imports pjsua2, and loaded with the first account. Everything here runs on one
thread: pjsua2 ends the process over a call from a thread that it does not know, and over an
exception in a callback. Callbacks only leave events, which `poll` gives back.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

import pjsua2

from psap.tls import TlsPolicy
from sipgateway.registrar.accounts import Account, transport_of
from sipgateway.registrar.events import Answered, ConnectionClosed, Event, Key, Received
from sipgateway.registrar.lifecycle import Answer
from sipgateway.registrar.packets import DROPPED_LEVEL, PacketLog, to_bytes, to_words

logger = logging.getLogger(__name__)

# One more and pjsua2 2.15 aborts the process by an assertion (PJSUA_MAX_ACC).
MOST_ACCOUNTS = 8
MOST_EVENTS = 64
SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
KEEP_ALIVE = 15
CANNOT_SEND = 503
_LEVELS = {1: logging.WARNING, 2: logging.WARNING, 3: logging.DEBUG}

Sent = Callable[[int, str, bytes], None]


class _Log(pjsua2.LogWriter):
    def __init__(self, events: list[Event]) -> None:
        super().__init__()
        self._events = events
        self._packets = PacketLog()

    def write(self, entry: Any) -> None:
        try:
            if (packet := self._packets.read(entry.msg)) is not None:
                self._events.append(packet)
            if entry.level in _LEVELS:
                logger.log(
                    _LEVELS[entry.level], "pjsua2: %s", to_words(entry.msg.partition("\n")[0][:300])
                )
        except Exception:  # must not reach pjsua2
            logger.exception("a line of pjsua2's log")


class _Endpoint(pjsua2.Endpoint):
    def __init__(self, events: list[Event]) -> None:
        super().__init__()
        self._events = events

    def onTransportState(self, prm: Any) -> None:  # noqa: N802
        if prm.state == pjsua2.PJSIP_TP_STATE_DISCONNECTED:
            self._events.append(ConnectionClosed())


class _Account(pjsua2.Account):
    """An account at one of its registrars."""

    def __init__(self, key: Key, events: list[Event]) -> None:
        super().__init__()
        self._key = key
        self._events = events
        # What is under way, by the address that pjsua2 gives back; it must live as long.
        self.sending: dict[int, tuple[Any, Sent]] = {}

    def onRegState(self, prm: Any) -> None:  # noqa: N802
        try:
            answer = Answer(int(prm.code), to_words(prm.reason), int(prm.expiration))
            self._events.append(Answered(self._key, answer))
        except Exception:  # must not reach pjsua2
            logger.exception("a registrar's answer")

    def onInstantMessage(self, prm: Any) -> None:  # noqa: N802
        try:
            raw = to_bytes(prm.rdata.wholeMsg)
            self._events.append(Received(self._key[0], prm.rdata.srcAddress, raw))
        except Exception:  # must not reach pjsua2
            logger.exception("a message that pjsua2 has acknowledged cannot be read")

    def onSendRequest(self, prm: Any) -> None:  # noqa: N802
        try:
            _, done = self.sending.pop(int(prm.userData), (None, None))
            state = prm.e.body.tsxState
            if done is not None:
                whole = to_bytes(state.src.rdata.wholeMsg)
                done(int(state.tsx.statusCode), to_words(state.tsx.statusText), whole)
        except Exception:  # must not reach pjsua2
            logger.exception("the answer to a request of ours")


class Engine:
    """One pjsua2 endpoint with its transports and accounts."""

    def __init__(self, tls: Callable[[], TlsPolicy]) -> None:
        self._tls = tls
        self._tls_in_use: TlsPolicy | None = None
        self._events: list[Event] = []
        self._accounts: dict[Key, _Account] = {}
        self._dropped: list[_Account] = []
        self._log = _Log(self._events)
        self._endpoint = _Endpoint(self._events)
        self._endpoint.libCreate()
        configuration = pjsua2.EpConfig()
        configuration.uaConfig.threadCnt = 0
        configuration.uaConfig.mainThreadOnly = True
        configuration.uaConfig.userAgent = "Leitstand"
        configuration.medConfig.threadCnt = 0
        configuration.logConfig.writer = self._log
        configuration.logConfig.level = DROPPED_LEVEL
        configuration.logConfig.consoleLevel = DROPPED_LEVEL  # what the writer gets
        configuration.logConfig.msgLogging = 0
        configuration.logConfig.decor = 0
        self._endpoint.libInit(configuration)
        self.ports = {
            name: self._listen(kind)
            for name, kind in (
                ("udp", pjsua2.PJSIP_TRANSPORT_UDP),
                ("tcp", pjsua2.PJSIP_TRANSPORT_TCP),
            )
        }
        self._endpoint.libStart()

    @property
    def version(self) -> str:
        """Return pjsua2's own version."""
        return str(self._endpoint.libVersion().full)

    def tls_is_outdated(self, policy: TlsPolicy) -> bool:
        """Say whether connections over TLS show another certificate than they should."""
        return self._tls_in_use is not None and self._tls_in_use != policy

    def register(self, key: Key, account: Account) -> None:
        """Send a REGISTER, the first or another one; the answer is an event."""
        try:
            if key not in self._accounts:
                self._add(key, account)
            self._accounts[key].setRegistration(True)
        except pjsua2.Error as error:
            self._events.append(Answered(key, Answer(CANNOT_SEND, error.reason)))

    def unregister(self, key: Key) -> None:
        """Send a REGISTER that ends the binding; the answer is an event."""
        try:
            self._accounts[key].setRegistration(False)
        except (KeyError, pjsua2.Error) as error:
            reason = getattr(error, "reason", "no account")
            self._events.append(Answered(key, Answer(CANNOT_SEND, reason)))

    def drop(self, key: Key) -> None:
        """Forget an account at a registrar; in pjsua2 it lives until its requests have ended."""
        if account := self._accounts.pop(key, None):
            self._dropped.append(account)
            self._end_dropped()

    def send(
        self,
        key: Key,
        *,
        uri: str,
        headers: Iterable[tuple[str, str]],
        content_type: str,
        body: str,
        done: Sent,
    ) -> None:
        """Send a MESSAGE through an account; `done` gets status, reason and the whole answer."""
        parameters = pjsua2.SendRequestParam()
        parameters.method = "MESSAGE"
        parameters.userData = parameters.this
        option = parameters.txOption
        option.targetUri, option.contentType, option.msgBody = uri, content_type, body
        for name, value in headers:
            header = pjsua2.SipHeader()
            header.hName, header.hValue = name, value
            option.headers.append(header)
        account = self._accounts.get(key)
        if account is None:
            done(CANNOT_SEND, "the account is not registered", b"")
            return
        token = int(parameters.this)
        account.sending[token] = parameters, done
        try:
            account.sendRequest(parameters)
        except pjsua2.Error as error:
            if account.sending.pop(token, None):  # else it has been told already
                done(CANNOT_SEND, error.reason, b"")

    def poll(self) -> list[Event]:
        """Let pjsua2 do what is due, and return what has happened."""
        for _ in range(MOST_EVENTS):
            if self._endpoint.libHandleEvents(0) <= 0:
                break
        if self._dropped:
            self._end_dropped()
        events = list(self._events)
        self._events.clear()
        return events

    def close(self) -> None:
        """End pjsua2; where requests are still under way it has to be left as it is."""
        for key in list(self._accounts):
            self.drop(key)
        if not self._dropped:
            self._endpoint.libDestroy()
            return
        for owned in (*self._dropped, self._endpoint, self._log):
            owned.thisown = False  # no destructor, which would end what is under way

    def _end_dropped(self) -> None:
        """End accounts that nothing is under way for: else pjsua2 aborts at the answer."""
        for account in [account for account in self._dropped if not account.sending]:
            self._dropped.remove(account)
            account.shutdown()

    def _listen(self, kind: int) -> int:
        """Open a transport on a port that the system chooses; returns the port."""
        number = self._endpoint.transportCreate(kind, pjsua2.TransportConfig())
        address: str = self._endpoint.transportGetInfo(number).localAddress
        return int(address.rpartition(":")[2])

    def _add(self, key: Key, account: Account) -> None:
        if len(self._accounts) + len(self._dropped) >= MOST_ACCOUNTS:
            raise pjsua2.Error(0, "", f"pjsua2 holds {MOST_ACCOUNTS} accounts at most", "", 0)
        registrar = account.registrars[key[1]]
        if transport_of(registrar) == "tls":
            self._offer_tls()
        added = _Account(key, self._events)
        added.create(_configuration(account, key[1]))
        self._accounts[key] = added

    def _offer_tls(self) -> None:
        if self._tls_in_use is not None:
            return
        policy = self._tls_in_use = self._tls()
        transport = pjsua2.TransportConfig()
        tls = transport.tlsConfig
        tls.verifyServer = True
        authorities = "\n".join(authority.certificates for authority in policy.authorities)
        if authorities:
            tls.CaBuf = authorities
        else:
            tls.CaListFile = SYSTEM_AUTHORITIES
        if policy.chain:
            tls.certBuf, tls.privKeyBuf = policy.chain, policy.private_key
        self._endpoint.transportCreate(pjsua2.PJSIP_TRANSPORT_TLS, transport)


def _configuration(account: Account, number: int) -> Any:
    registrar = account.registrars[number]
    made = pjsua2.AccountConfig()
    made.idUri = account.address_of_record
    registration = made.regConfig
    registration.registrarUri = registrar
    registration.registerOnAdd = False
    registration.timeoutSec = account.expires
    # `lifecycle` decides when; pjsua2 would do so by itself and tell only what came of it.
    registration.retryIntervalSec = registration.firstRetryIntervalSec = 0
    registration.delayBeforeRefreshSec = 1
    registration.proxyUse = 0
    if account.username:
        realm, name = account.realm or "*", account.username
        made.sipConfig.authCreds.append(
            pjsua2.AuthCredInfo("digest", realm, name, 0, account.password)
        )
    nat = made.natConfig
    nat.sipOutboundUse = 0
    if account.receives:
        registration.contactParams = account.parameters
        made.sipConfig.proxies.append(_route(registrar))
        nat.udpKaIntervalSec = KEEP_ALIVE
    else:
        made.sipConfig.contactForced = account.contacts[number]
        nat.contactRewriteUse = 0  # it would put pjsua2's own address in place of ours
        nat.viaRewriteUse = 0
        nat.udpKaIntervalSec = 0
    return made


def _route(registrar: str) -> str:
    return registrar if ";lr" in registrar.lower() else f"{registrar};lr"
