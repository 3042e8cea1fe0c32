"""The worker's calls to peers as transferor: negotiation, execution, custody (Annex A).

`targets` says where a peer is asked and with what credentials, `answers` judges what it answered,
`negotiation`, `execution` and `custody` are one call each, `caller` claims what is due and gives
each a thread. Nothing here is decided by memory: chats.services.transfers has the rows.
"""
