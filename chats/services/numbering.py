"""MsgIds of what we send (clause 6.1.2.7): which one was the last that an app can have seen."""

from django.db.models import Max

from chats.models import Chat, DeliveryStatus, Direction, Message


def last_used_msg_id(chat: Chat) -> int:
    """Return the last MsgId that has been used towards the app, 1 where there is none.

    Every PSAP that had the chat counts. What was cancelled before its first attempt has not left.
    """
    sent = Message.objects.filter(chat=chat, direction=Direction.OUT)
    used = sent.exclude(status=DeliveryStatus.CANCELLED, outbox__attempts=0)
    return used.aggregate(Max("msg_id"))["msg_id__max"] or 1
