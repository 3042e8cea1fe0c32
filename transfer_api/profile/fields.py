"""Reading members of a JSON object by the schema that we publish, every fault with its pointer.

Types and bounds are those of transfer_api/schemas/data.json. What is missing or null gets its
default; what has another type or leaves a bound is a fault. Texts for people are cut instead, and
fit for PostgreSQL afterwards.
"""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from chats.services.texts import storable_text
from transfer_api.profile.violations import ProfileError
from transfer_api.schemas import MOST_VIOLATIONS, Violation

DEEPEST = 20
MOST_NODES = 500_000
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1

Node = Mapping[str, Any]


class Faults:
    """What was found to be wrong so far; twenty are enough for anybody."""

    def __init__(self) -> None:
        self._found: list[Violation] = []
        self._nodes = 0

    def add(self, pointer: str, detail: str) -> None:
        """Note a violation; raises ProfileError when there have been too many."""
        self._found.append(Violation(pointer, detail))
        if len(self._found) >= MOST_VIOLATIONS:
            self.raise_if_any()

    def raise_if_any(self) -> None:
        """Raise ProfileError unless all was well."""
        if self._found:
            raise ProfileError(self._found)

    def has_room(self) -> bool:
        """Count one more value of a free object; False when there are too many in all."""
        self._nodes += 1
        return self._nodes <= MOST_NODES


class Fields:
    """One JSON object, its schema, and where it stands."""

    __slots__ = ("_faults", "_properties", "_values", "pointer")

    def __init__(self, values: Any, schema: Node, pointer: str, faults: Faults) -> None:
        self._properties: Node = schema["properties"]
        self._faults, self.pointer = faults, pointer
        if not isinstance(values, Mapping):
            faults.add(pointer, "must be object")
            values = {}
        self._values: Mapping[str, Any] = values

    def fault(self, name: str, detail: str) -> None:
        """Note that a member is not as it must be."""
        self._faults.add(f"{self.pointer}/{name}", detail)

    def has(self, name: str) -> bool:
        """Whether a member is there and not null."""
        return self._values.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """Return a text for people, cut to its bound."""
        value = self._string(name)
        if value is None:
            return default
        longest = self._properties[name].get("maxLength")
        return storable_text(value if longest is None else value[:longest])

    def exact(self, name: str, default: str = "", *, required: bool = False) -> str:
        """Return what must not be cut: an identifier, a URI, a word of a list."""
        value = self._string(name)
        if value is None:
            if required:
                self.fault(name, "missing")
            return default
        schema = self._properties[name]
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            self.fault(name, "breaks the length")
            return default
        if "pattern" in schema and not _compiled(schema["pattern"]).search(value):
            self.fault(name, f"breaks pattern {schema['pattern']}")
            return default
        return storable_text(value)

    def verbatim(self, name: str) -> str | None:
        """Return a string as it is, however long."""
        return self._string(name)

    def word(self, name: str, default: str = "", *, required: bool = False) -> str:
        """Return one of the words that the schema lists."""
        value = self.exact(name, required=required)
        words = [word for word in self._properties[name]["enum"] if word is not None]
        if value in words:
            return value
        if self.has(name) and isinstance(self._values[name], str):
            self.fault(name, f"must be one of {', '.join(words)}")
        return default

    def digest(self, name: str, *, required: bool = False) -> bytes:
        """Return a SHA-256, empty when it is missing."""
        value = self.exact(name, required=required)
        return bytes.fromhex(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a boolean."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.fault(name, "must be boolean")
            return default
        return value

    def integer(self, name: str, default: int | None = None) -> int | None:
        """Return an integer; 1.0 is one."""
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault(name, "must be integer")
            return default
        return value if self._is_within(name, value) else default

    def number(self, name: str) -> float | None:
        """Return a finite number."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fault(name, "must be number")
            return None
        return float(value) if self._is_within(name, value) else None

    def time(self, name: str) -> datetime | None:
        """Return an aware time in UTC."""
        value = self._string(name)
        if value is None:
            return None
        try:
            read = datetime.fromisoformat(value) if len(value) <= 40 else None
            if read is not None and read.tzinfo is not None and "T" in value.upper():
                return read.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        self.fault(name, "must be a time with an offset (RFC 3339)")
        return None

    def objects(self, name: str) -> Iterator["Fields"]:
        """Yield the objects of a list."""
        schema = self._properties[name]
        for number, value in enumerate(self._list(name)):
            yield Fields(value, schema["items"], f"{self.pointer}/{name}/{number}", self._faults)

    def object(self, name: str) -> "Fields":
        """Return an object; a missing one is empty."""
        value = self._values.get(name)
        pointer = f"{self.pointer}/{name}"
        return Fields({} if value is None else value, self._properties[name], pointer, self._faults)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the strings of a list, each cut to its bound."""
        longest = self._properties[name]["items"]["maxLength"]
        found = []
        for number, value in enumerate(self._list(name)):
            if isinstance(value, str):
                found.append(storable_text(value[:longest]))
            else:
                self.fault(f"{name}/{number}", "must be string")
        return tuple(found)

    def civic(self, name: str) -> Mapping[str, str] | None:
        """Return an object of strings."""
        read = self.free(name)
        for member, value in (read or {}).items():
            if not isinstance(value, str):
                self.fault(f"{name}/{member}", "must be string")
        return read

    def free(self, name: str) -> Mapping[str, Any] | None:
        """Return an object of any form, such that a column takes it and a digest can be made."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.fault(name, "must be object")
            return None
        try:
            read: Mapping[str, Any] = self._kept(value, 1)
        except ValueError as error:
            self.fault(name, str(error))
            return None
        return read

    def _kept(self, value: Any, depth: int) -> Any:
        if depth > DEEPEST or not self._faults.has_room():
            raise ValueError("is too deep, or there is too much")
        if isinstance(value, str):
            return storable_text(value)
        if isinstance(value, Mapping):
            return {storable_text(k): self._kept(v, depth + 1) for k, v in value.items()}
        if isinstance(value, list):
            return [self._kept(one, depth + 1) for one in value]
        if isinstance(value, float):
            if not math.isfinite(value):
                raise ValueError("has a number that is none")
            # JSON writes 100 and 1e2 for one number, a digest must not: integers are integers.
            value = int(value) if value.is_integer() else value
        if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
            raise ValueError("has a number beyond 64 bits")
        return value

    def _string(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return value
        self.fault(name, "must be string")
        return None

    def _list(self, name: str) -> list[Any]:
        value = self._values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.fault(name, "must be array")
            return []
        if len(value) > self._properties[name]["maxItems"]:
            self.fault(name, f"must have {self._properties[name]['maxItems']} items at most")
            return []
        return value

    def _is_within(self, name: str, value: float) -> bool:
        schema = self._properties[name]
        # The order also refuses what is no number: NaN is never within.
        if schema["minimum"] <= value <= schema["maximum"]:
            return True
        self.fault(name, f"must be from {schema['minimum']} to {schema['maximum']}")
        return False


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    # `$` would let a line feed stand at the end.
    return re.compile(re.sub(r"\$$", r"\\Z", pattern))
