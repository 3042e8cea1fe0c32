"""Header fields of a SIP message: ordered, case-insensitive, compact forms resolved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

COMPACT_FORMS = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}
"""Compact header names (RFC 3261 20 and the IANA registry)."""

_USUAL = (
    "Via Max-Forwards To From Call-ID CSeq History-Info Geolocation Geolocation-Routing "
    "Call-Info Content-Type Content-Length Allow Supported User-Agent P-Asserted-Identity "
    "Reply-To Route Record-Route Contact Expires Date Subject Priority Resource-Priority "
    "Accept Accept-Language Content-Language Content-Encoding Content-Disposition "
    "Content-ID Content-Transfer-Encoding MIME-Version P-Access-Network-Info"
).split()

# Every usual spelling leads to its key in one look-up; all others go through key_of().
_KEYS: dict[str, str] = {}
for _name in _USUAL:
    _KEYS[_name] = _KEYS[_name.lower()] = _name.lower()
for _short, _long in COMPACT_FORMS.items():
    _KEYS[_short] = _KEYS[_short.upper()] = _long.lower()


def key_of(name: str) -> str:
    """The key of a header name in whatever spelling: lower case, long form."""
    key = _KEYS.get(name)
    if key is not None:
        return key
    name = name.strip().lower()
    return _KEYS.get(name, name)


def long_name(name: str) -> str:
    """The name with a compact form resolved, otherwise as it was spelt."""
    name = name.strip()
    return COMPACT_FORMS.get(name.lower(), name) if len(name) == 1 else name


def split_list(value: str) -> list[str]:
    """Split a comma-separated header value outside of quoted strings and angle brackets."""
    if "," not in value:
        value = value.strip()
        return [value] if value else []
    entries: list[str] = []
    start = 0
    quoted = bracketed = escaped = False
    for at, char in enumerate(value):
        if escaped:
            escaped = False
        elif quoted:
            if char == "\\":
                escaped = True
            elif char == '"':
                quoted = False
        elif char == '"' and not bracketed:
            quoted = True
        elif char == "<":
            bracketed = True
        elif char == ">":
            bracketed = False
        elif char == "," and not bracketed:
            entries.append(value[start:at].strip())
            start = at + 1
    entries.append(value[start:].strip())
    return [entry for entry in entries if entry]


class Headers:
    """The header fields of one message, in order of arrival.

    Values are unfolded and decoded as UTF-8 with replacement, one per header line.
    """

    __slots__ = ("_index", "_lines", "_made")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._lines: list[str] = []
        self._made: list[tuple[str, str]] | None = list(items)
        self._index: dict[str, str | list[str]] | None = None

    @classmethod
    def from_lines(cls, lines: list[str]) -> Headers:
        """Header fields from unfolded lines; a line without a colon is no header and ignored."""
        headers = cls.__new__(cls)
        headers._lines = lines
        headers._made = None  # few messages are ever asked for all their fields
        index: dict[str, str | list[str]] = {}
        keys = _KEYS
        for line in lines:
            name, colon, value = line.partition(":")
            key = keys.get(name)
            if key is None:
                if not colon:
                    continue
                key = key_of(name)
            if key in index:
                _append(index, key, value.strip())
            else:
                index[key] = value.strip()
        headers._index = index
        return headers

    @property
    def _items(self) -> list[tuple[str, str]]:
        if self._made is None:
            pieces = [line.partition(":") for line in self._lines]
            self._made = [(name, value.strip()) for name, colon, value in pieces if colon]
        return self._made

    def _indexed(self) -> dict[str, str | list[str]]:
        index = self._index
        if index is None:
            index = self._index = {}
            for name, value in self._items:
                _append(index, key_of(name), value)
        return index

    def get(self, name: str) -> str | None:
        """The first value of that name, or None."""
        index = self._index
        if index is None:
            index = self._indexed()
        value = index.get(name)  # callers on the hot path ask by key
        if value is None:
            value = index.get(key_of(name))
        return value[0] if type(value) is list else value  # type: ignore[return-value]

    def get_all(self, name: str) -> list[str]:
        """All values of that name, one per header line."""
        value = self._indexed().get(key_of(name))
        if value is None:
            return []
        return list(value) if isinstance(value, list) else [value]

    def split(self, name: str) -> list[str]:
        """All values of that name, comma-separated lists taken apart (RFC 3261 7.3.1)."""
        return [entry for value in self.get_all(name) for entry in split_list(value)]

    def joined(self, key: str) -> str:
        """All values of that key (lower case, long form) as one list, "" when there is none."""
        value = self._indexed().get(key)
        if value is None:
            return ""
        return ", ".join(value) if isinstance(value, list) else value

    def joined_all(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """All values of each of the keys, as `joined` gives them; quick where few are there."""
        index = self._indexed()
        get = index.get
        values = tuple([get(key, "") for key in keys])
        if list in map(type, values):
            return tuple([self.joined(key) for key in keys])
        return values  # type: ignore[return-value]

    def add(self, name: str, value: str) -> None:
        """Append a header field."""
        self._items.append((name, value))
        if self._index is not None:
            _append(self._index, key_of(name), value)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and key_of(name) in self._indexed()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((long_name(name), value) for name, value in self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"

    def encode(self) -> str:
        """The header block as text, each line ended by CRLF."""
        return "".join([f"{name}: {value}\r\n" for name, value in self._items])


def _append(index: dict[str, str | list[str]], key: str, value: str) -> None:
    """Add a value: most names come once, and a list for each would cost more than all the rest."""
    known = index.get(key)
    if known is None:
        index[key] = value
    elif isinstance(known, list):
        known.append(value)
    else:
        index[key] = [known, value]
