"""Message types as they stand in rows, those that our own rules look at (Annex A.5)."""

START = 257
STOP = 258
IN_CHAT = 259
STOP_TRANSFER = 266
START_REDIRECT = 273
STOP_REDIRECT = 274

STARTS = (START, START_REDIRECT)
STOPS = frozenset({STOP, STOP_TRANSFER, STOP_REDIRECT})
HEARTBEATS = (260, 388)
