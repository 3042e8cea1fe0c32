"""Emergency apps to test a PSAP with, playing chats over real SIP sockets.

Everything here is written from the RFCs with the standard library alone and shares no module with
the gateway: a mistake made there cannot hide behind the same mistake made here.
"""
