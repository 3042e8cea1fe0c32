"""The digest of what was read: the same for what was read before, another for anything changed."""

from datetime import UTC, datetime

import pytest

from chats.services.incoming import IncomingFix
from chats.services.readings import readings_digest

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
FIELDS = {
    **{"shape": "Circle", "latitude": 48.2, "longitude": 16.37, "radius": 25.0},
    **{"method": "GPS", "at": AT},
}
PLAIN = IncomingFix(**FIELDS)


def test_the_digest_of_a_plain_fix_is_that_of_all_records_so_far():
    """Red when a field is added for all: records of before would no longer verify."""
    assert readings_digest([(PLAIN, AT)], [("Comment", {"comment": "ä"})]) == (
        "8704c1d464d32779216b47e509f5112507231331877df4a91ac775ba448ef5be"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"altitude": 1.0},
        {"confidence": 1.0},
        {"geometry": {"ring": [[1.0, 2.0]]}},
        {"civic": {"A3": "Wien"}},
        {"source": "device"},
        {"latitude": None, "longitude": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_field_counts(change):
    changed = IncomingFix(**{**FIELDS, **change})
    assert readings_digest([(changed, AT)], []) != readings_digest([(PLAIN, AT)], [])


def test_numbers_count_by_their_value_as_json_may_write_them_in_more_ways_than_one():
    once, again = ({"geometry": {"height": height}} for height in (2, 2.0))
    digests = {readings_digest([(IncomingFix(**FIELDS, **more), AT)], []) for more in (once, again)}
    assert len(digests) == 1
