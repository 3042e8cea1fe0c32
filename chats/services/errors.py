"""Why a service refused: one class a reason, each with a code that never changes.

The codes are mapped once each for the WebSocket and HTTP (docs/live.md lists them).
"""


class ChatError(Exception):
    """Base of all refusals; nothing was written."""

    code = "refused"
    detail = "The command was refused."

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or type(self).detail
        super().__init__(self.detail)


class ChatUnknown(ChatError):
    code = "chat-unknown"
    detail = "There is no such chat."


class ChatAlreadyOwned(ChatError):
    """Somebody was faster; `owner` and `owner_name` say who."""

    code = "chat-already-owned"

    def __init__(self, owner: str, owner_name: str) -> None:
        self.owner = owner
        self.owner_name = owner_name
        super().__init__(f"{owner_name} has this chat.")


class ChatNotRinging(ChatError):
    code = "chat-not-ringing"
    detail = "This chat has been closed."


class ChatAlreadyClosed(ChatError):
    code = "chat-already-closed"
    detail = "This chat has been closed."


class ChatBusy(ChatError):
    """The chat's row stayed locked for longer than a command waits."""

    code = "chat-busy"
    detail = "The chat is being changed by something else; try again."


class NotYourChat(ChatError):
    code = "not-your-chat"
    detail = "Only the call-taker who has the chat may do that."


class SessionNotOpen(ChatError):
    code = "session-not-open"
    detail = "The session with the caller has ended."


class NoCallBack(ChatError):
    """The session has not ended, the chat is closed out, or there is nobody to write to."""

    code = "no-call-back"
    detail = "Only a chat that has ended and is not closed yet can be called back."


class TextEmpty(ChatError):
    code = "text-empty"
    detail = "There is no text to send."


class TextTooLong(ChatError):
    code = "text-too-long"
    detail = "The text has more than 10,000 characters."


class DispositionUnknown(ChatError):
    code = "disposition-unknown"
    detail = "There is no such reason for closing."


class ReferenceNotWaiting(ChatError):
    """The reference is unknown in this chat, or is being fetched already."""

    code = "reference-not-waiting"
    detail = "There is nothing to fetch: it is unknown or being fetched already."


class NoBadActorUrl(ChatError):
    code = "no-bad-actor-url"
    detail = "No service that takes reports of sources has been configured."


class PeerUnknown(ChatError):
    code = "peer-unknown"
    detail = "There is no such control room."


class NoAgreement(ChatError):
    code = "no-agreement"
    detail = "There is no agreement with this control room."


class ClientEndsSession(ChatError):
    """The app ends its session on a redirect or transfer; an override sends it all the same."""

    code = "client-ends-session"
    detail = "The caller's app is known to end the chat instead of following us."


class NotRedirecting(ChatError):
    code = "not-redirecting"
    detail = "This chat is not being redirected."


class NoTransfers(ChatError):
    """There is an agreement, and no URL to ask at: it can be redirected to, not transferred."""

    code = "no-transfers"
    detail = "This control room does not take transfers."


class ChatTooLarge(ChatError):
    """The texts alone are more than a peer takes in one request (docs/transfer.md)."""

    code = "chat-too-large"
    detail = "This chat is too large to be transferred. It can be redirected."


class TransferUnderWay(ChatError):
    code = "transfer-under-way"
    detail = "This chat is being transferred already."


class NoTransfer(ChatError):
    code = "no-transfer"
    detail = "There is no transfer of this chat for that."


class TooLate(ChatError):
    """The other PSAP has been asked to execute the transfer: now it or the deadline decides."""

    code = "too-late"
    detail = "The other control room is taking the chat over already."
