"""Who calls and from where; the same seed gives the same people in the same places."""

import math
import random
from dataclasses import dataclass, field

from sipgateway.simulator import lmpe
from sipgateway.simulator.phrases import PHRASES, Phrases
from sipgateway.simulator.shapes import METRES_PER_DEGREE, Location

# (language, calling code, names, cities as (latitude, longitude))
_PEOPLE: tuple[tuple[str, str, tuple[str, ...], tuple[tuple[float, float], ...]], ...] = (
    (
        "de",
        "+43",
        ("Erika Mustermann", "Jürgen Weiß", "Änne Groß"),
        ((48.2082, 16.3738), (47.0707, 15.4395), (52.5200, 13.4050)),
    ),
    (
        "en",
        "+353",
        ("Aoife O'Brien", "Niall Byrne", "Saoirse Kelly"),
        ((53.3498, -6.2603), (51.8985, -8.4756)),
    ),
    (
        "fr",
        "+33",
        ("Zoé Lefèvre", "François Crête", "Anaïs Noël"),
        ((45.7640, 4.8357), (48.8566, 2.3522)),
    ),
    (
        "tr",
        "+90",
        ("Ayşe Yıldız", "İbrahim Çağlar", "Gülşen Öz"),
        ((41.0082, 28.9784), (41.6771, 26.5557)),
    ),
    (
        "ar",
        "+32",
        ("ليلى حداد", "يوسف منصور"),
        ((50.8503, 4.3517), (51.2194, 4.4025)),
    ),
    (
        "uk",
        "+380",
        ("Олена Шевченко", "Андрій Коваль", "Їжакевич Ганна"),
        ((49.8397, 24.0297), (50.4501, 30.5234)),
    ),
)
# What a phone dials; the last two as the clauses write a service (RFC 5031).
_DIALLED = ("sip:112@example.org", "urn:service:sos", "urn:service:sos.fire")


@dataclass(slots=True)
class Walk:
    """A person on foot: each step goes on roughly in the direction of the one before."""

    here: Location
    heading: float
    dice: random.Random = field(repr=False)

    def step(self, metres: float = 15.0) -> Location:
        """Go a few metres on and return the new location, with another accuracy."""
        self.heading += self.dice.gauss(0.0, 0.4)
        length = metres * self.dice.uniform(0.6, 1.4)
        north, east = length * math.cos(self.heading), length * math.sin(self.heading)
        scale = METRES_PER_DEGREE * math.cos(math.radians(self.here.latitude))
        self.here = Location(
            latitude=self.here.latitude + north / METRES_PER_DEGREE,
            longitude=self.here.longitude + east / scale,
            radius=float(self.dice.randint(5, 40)),
        )
        return self.here


@dataclass(frozen=True, slots=True)
class Persona:
    """One caller: identity, language, place and what will be written."""

    uri: str
    display_name: str
    phone: str
    language: str
    dialled: str
    call_id_prefix: str
    element: str
    texts: tuple[str, ...]
    phrases: Phrases
    walk: Walk

    def reply(self, number: int) -> str:
        """Return the answer to the call-taker's text of that number, counted from 0."""
        return self.phrases.replies[number % len(self.phrases.replies)]


def make_persona(seed: int, number: int, element: str = "app.example.org") -> Persona:
    """Draw caller `number` of a run; no two numbers below 10,000 share an address."""
    # Not for secrets: content has to be the same again for the same seed.
    dice = random.Random(f"{seed}/{number}")  # noqa: S311
    language, code, names, cities = _PEOPLE[number % len(_PEOPLE)]
    phrases = PHRASES[language]
    phone = f"{code}{dice.randint(10, 99)}555{number % 10_000:04}"
    latitude, longitude = dice.choice(cities)
    start = Location(
        latitude + dice.uniform(-0.02, 0.02),
        longitude + dice.uniform(-0.02, 0.02),
        float(dice.randint(5, 40)),
    )
    return Persona(
        uri=f"sip:{phone}@example.org",
        display_name=dice.choice(names),
        phone=phone,
        language=language,
        dialled=dice.choice(_DIALLED),
        call_id_prefix=dice.choice(lmpe.CALL_ID_PREFIXES),
        element=element,
        texts=dice.choice(phrases.incidents),
        phrases=phrases,
        walk=Walk(start, dice.uniform(0.0, 2 * math.pi), dice),
    )
