"""Reading a stranger's `Data`: types are demanded, nothing else is; texts are only ever texts."""

import base64
import copy
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from transfer_api.profile.fields import DEEPEST
from transfer_api.profile.reader import LARGEST_SIGNALLING, read_data
from transfer_api.profile.violations import ProfileError
from transfer_api.schemas import DATA, schema, validate

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
AT = "2026-01-31T11:59:00Z"
PEER = "sip:a@example.org"
CONTENT = b"\x89PNG"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LINKED = "ab" * 32
FULL: dict[str, Any] = {
    "Version": 1, "SnapshotAt": "2026-01-31T12:00:00.000000+00:00", "AppUri": "sip:app@example.org",
    "Service": "urn:service:sos.fire", "OpenedAt": AT, "Did": "did:example:1",
    "Caller": {
        "Uri": "sip:anna@example.org", "AssertedUri": "tel:+43660", "Asserted": True,
        "DisplayName": "Anna", "Language": "de", "UserAgent": "App/1", "Dialect": "dec112",
        "Liveness": "alive", "LastSignOfLifeAt": AT, "LastTextAt": AT,
    },
    "LastCallerMessageId": 3, "Priority": "esnet.1", "Silent": True, "Test": False,
    "Signalling": {"subject": "help", "list": [1, {"a": None}]},
    "Psaps": [{"Uri": PEER, "Name": "A", "From": AT}],
    "Messages": [{
        "Id": "m1", "Direction": "in", "Type": 257, "MessageId": 3, "Text": "help",
        "Role": "caller", "Psap": PEER, "At": AT, "Status": "received", "SipStatus": 200,
        "Flags": ["late"],
        "Parts": [{
            "Sha256": SHA256, "KeptSha256": SHA256, "ContentType": "image/png", "ContentId": "<a>",
            "Name": "a.png", "Size": len(CONTENT), "Flag": "",
        }, {"Sha256": LINKED}],
    }],
    "Locations": [{
        "Message": "m1", "Shape": "Circle", "Latitude": 48.2, "Longitude": 16.3, "Radius": 20,
        "Altitude": 171.5, "Confidence": 95, "Geometry": {"a": 1.5}, "Civic": {"A3": "Wien"},
        "Method": "GPS", "Source": "device", "At": AT,
    }],
    "AdditionalData": [{"Message": "m1", "Kind": "SubscriberInfo", "Data": {"name": "Anna"}}],
    "References": [{
        "Message": "m1", "Kind": "location", "Purpose": "x", "Url": "https://lis.example.org/",
    }],
    "Attachments": [
        {"Sha256": SHA256, "ContentType": "image/png", "Size": len(CONTENT),
         "Content": base64.b64encode(CONTENT).decode()},
        {"Sha256": LINKED, "Size": 9, "Url": "transfer/v1/attachments/" + LINKED},
    ],
    "Notes": [{"Id": "n1", "At": AT, "Text": "bleeding", "Psap": PEER}],
}  # fmt: skip
OTHERS: tuple[Any, ...] = ("text", 7, 7.5, True, [], {}, ["x"], [7])
FREE = ("Signalling", "Geometry", "Data")


def read(data: Any, **values: Any) -> Any:
    return read_data(data, received_at=NOW, peer_uris=[PEER], **values)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value, but for what stands in objects of any form."""
    if path:
        yield path
    if path and path[-1] in FREE:
        return
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))
        else:
            yield (*path, key)


PLACES = list(places(FULL))


def put(path: tuple[Any, ...], value: Any) -> Any:
    """Return FULL with another value at a path; `...` takes it away."""
    document = copy.deepcopy(FULL)
    *way, last = path
    node = document
    for step in way:
        node = node[step]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return document


def pointers(data: Any) -> list[str]:
    with pytest.raises(ProfileError) as refused:
        read(data)
    return [one.pointer for one in refused.value.violations]


def test_all_of_it_is_read():
    handed = read(FULL)
    assert (handed.app_uri, handed.asserted_uri) == ("sip:app@example.org", "tel:+43660")
    assert handed.signalling["did"] == "did:example:1"
    assert handed.messages[0].parts[0].content == CONTENT
    assert [(one.sha256.hex(), one.url) for one in handed.links] == [
        (LINKED, "transfer/v1/attachments/" + LINKED)
    ]
    assert handed.messages[0].parts[1].size == 9
    assert handed.fixes[0].radius == 20.0
    assert handed.notes[0].text == "bleeding"
    assert validate(DATA, FULL) == []


@pytest.mark.parametrize("path", PLACES, ids=lambda path: "/".join(map(str, path)))
def test_reader_and_published_schema_agree_about_the_type_of(path: tuple[Any, ...]):
    """Red when either demands what the other does not."""
    for other in OTHERS:
        changed = put(path, other)
        by_schema = {one.pointer for one in validate(DATA, changed)}
        if not by_schema:
            continue  # the same type: what it says is looked at below
        found = pointers(changed)
        where = "/" + "/".join(map(str, path))
        assert any(one.startswith(where) for one in found), (other, found, by_schema)


@pytest.mark.parametrize("path", PLACES, ids=lambda path: "/".join(map(str, path)))
def test_what_may_be_missing_may_be_null_as_well(path: tuple[Any, ...]):
    named = path[0] == "Messages" and path[-1] in ("Messages", 0, "Id")  # by what it has brought
    if not named and not validate(DATA, put(path, ...)) and path[-1] != "A3":
        assert read(put(path, ...)) is not None
        if isinstance(path[-1], str):
            assert validate(DATA, put(path, None)) == []
            assert read(put(path, None)) == read(put(path, ...))


def test_the_schema_describes_all_that_is_read():
    def described(node: Any) -> Iterator[Any]:
        if isinstance(node, dict):
            for name, inner in node.get("properties", {}).items():
                yield name, inner
                yield from described(inner)
            yield from described(node.get("items"))

    found = dict(described(schema(DATA)))
    assert {name for name, inner in found.items() if not inner.get("description")} == set()
    names = {step for path in places(FULL) for step in path if isinstance(step, str)}
    assert set(found) == names - {"A3"}


def test_the_address_of_the_app_is_enough():
    handed = read({"AppUri": "sip:app@example.org"})
    assert handed.caller_uri == handed.app_uri == "sip:app@example.org"
    assert handed.service == "urn:service:sos"
    assert [one["uri"] for one in handed.psaps] == [PEER]
    assert handed.opened_at == handed.last_sign_of_life == NOW
    assert handed.messages == ()


def test_without_any_address_there_is_none():
    assert read({}).app_uri == ""


def test_unknown_members_are_ignored():
    handed = read(
        {**FULL, "Version": 1.0, "Later": {"x": []}}
        | {"Messages": [{"Direction": "out", "New": 1}]}
        | {"Locations": [], "AdditionalData": [], "References": []}
    )
    message = handed.messages[0]
    assert (message.role, message.status, message.psap) == ("system", "failed", PEER)
    assert message.id == f"message:0@{PEER}"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("Version",), 2),
        (("AppUri",), "https://example.org/"),
        (("AppUri",), "sip:app@example.org\r\nRoute: <sip:x>"),
        (("AppUri",), "sip:app@example.org\n"),
        (("Caller", "Uri"), "sip:a b@example.org"),
        (("Caller", "Uri"), "sip:" + "a" * 400),
        (("OpenedAt",), "yesterday"),
        (("OpenedAt",), "2026-01-31"),
        (("OpenedAt",), "2026-01-31T12:00:00"),
        (("OpenedAt",), "0001-01-01T00:00:00+14:00"),
        (("LastCallerMessageId",), 2**63),
        (("Signalling",), {"x": float("nan")}),
        (("Signalling",), {"x": 2**64}),
        (("Messages", 0, "Direction"), "sideways"),
        (("Messages", 0, "Role"), "robot"),
        (("Messages", 0, "Status"), "sending"),
        (("Messages", 0, "Type"), -1),
        (("Messages", 0, "MessageId"), 1.5),
        (("Messages", 0, "SipStatus"), 70000),
        (("Messages", 0, "Id"), ""),
        (("Messages", 0, "Id"), "a\nb"),
        (("Messages", 0, "Parts", 0, "Sha256"), "zz"),
        (("Messages", 0, "Parts", 0, "Size"), 2**31),
        (("Locations", 0, "Message"), "unknown"),
        (("Locations", 0, "Latitude"), 90.01),
        (("Locations", 0, "Latitude"), float("nan")),
        (("Locations", 0, "Radius"), 10**400),
        (("Locations", 0, "Civic"), {"A3": 7}),
        (("References", 0, "Kind"), "weather"),
        (("References", 0, "Url"), "https://" + "a" * 2000),
        (("Attachments", 0, "Content"), "no base64!"),
        (("Attachments", 0, "Content"), base64.b64encode(CONTENT).decode() + "\n"),
        (("Attachments", 0, "Content"), base64.b64encode(b"other").decode()),
        (("Attachments", 0, "Size"), 5),
        (("Notes", 0, "Id"), "m1"),
    ],
)  # fmt: skip
def test_what_leaves_its_bounds_is_refused_where_it_stands(path: tuple[Any, ...], value: Any):
    found = pointers(put(path, value))
    where = "/" + "/".join(map(str, path))
    assert any(one.startswith(where) for one in found), found


def test_two_messages_of_one_id_are_refused():
    twice = put(("Messages",), [FULL["Messages"][0]] * 2)
    assert pointers(twice) == ["/Messages/1/Id"]


@pytest.mark.parametrize("deep", [DEEPEST, DEEPEST + 1])
def test_objects_of_any_form_have_a_bottom(deep: int):
    value: Any = "x"
    for _ in range(deep - 1):
        value = {"x": value}
    if deep > DEEPEST:
        assert pointers(put(("Signalling",), value)) == ["/Signalling"]
    else:
        assert read(put(("Signalling",), value)).signalling["x"]


def test_objects_of_any_form_are_bounded_together(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("transfer_api.profile.fields.MOST_NODES", 20)
    blocks = [{"Kind": "X", "Data": {"a": [1, 2, 3]}}] * 10
    assert "/AdditionalData/4/Data" in pointers(put(("AdditionalData",), blocks))


def test_lists_are_bounded():
    assert pointers(put(("Notes",), [{"Text": "x"}] * 1001)) == ["/Notes"]
    assert pointers(put(("Messages", 0, "Flags"), ["x"] * 41)) == ["/Messages/0/Flags"]


def test_long_texts_are_cut():
    changed = put(("Messages", 0, "Text"), "ä" * 100_001)
    changed["Caller"]["DisplayName"] = "n" * 401
    handed = read(changed)
    assert len(handed.messages[0].text) == 100_000
    assert len(handed.display_name) == 400


def test_many_faults_are_told_at_once_but_not_for_ever():
    broken = put(("Messages",), [{"Direction": 7, "Type": "x"}] * 1000)
    with pytest.raises(ProfileError) as refused:
        read(broken)
    assert len(refused.value.violations) == 20


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "<img src=x onerror=alert(1)>", "\u202e"])
def test_hostile_texts_arrive_as_texts_that_can_be_stored(text: str):
    as_sent = json.loads(json.dumps(put(("Messages", 0, "Text"), text)))
    as_sent["Signalling"] = {text: [text]}
    handed = read(as_sent)
    kept = handed.messages[0].text
    assert "\0" not in kept
    kept.encode()
    assert len(kept) == len(text)
    assert [*handed.signalling] == [kept, "did"]


def test_numbers_of_free_objects_are_written_in_one_way():
    """Red when 1e2 stays a fraction: the digest differs once PostgreSQL has had it."""
    handed = read(put(("AdditionalData", 0, "Data"), {"a": 1e2, "b": -0.0, "c": 1.5, "d": True}))
    assert json.dumps(handed.data[0].data) == '{"a": 100, "b": 0, "c": 1.5, "d": true}'


def test_an_identity_that_the_peer_does_not_believe_is_not_taken_over():
    assert read(put(("Caller", "Asserted"), False)).asserted_uri == ""


def test_whoever_hands_over_is_the_last_of_the_psaps_whatever_it_says():
    handed = read(put(("Psaps",), [{"Uri": "sip:elsewhere@example.org"}]))
    assert [one["uri"] for one in handed.psaps] == ["sip:elsewhere@example.org", PEER]


def test_things_without_a_message_belong_to_the_last_of_the_app():
    changed = put(("Locations", 0, "Message"), ...)
    changed["Messages"].append({"Id": "m2", "Direction": "out"})
    assert read(changed).fixes[0].message == "m1"


def test_things_that_no_message_has_brought_are_dropped():
    changed = put(("Messages",), [])
    for name in ("Locations", "AdditionalData", "References"):
        del changed[name][0]["Message"]
    handed = read(changed)
    assert (handed.fixes, handed.data, handed.references) == ((), (), ())


def test_what_was_erased_stays_erased():
    changed = put(("Messages", 0, "Parts", 0, "Flag"), "erased")
    changed["Messages"][0]["Parts"][1]["Flag"] = "erased"
    handed = read(changed)
    assert [one.content for one in handed.messages[0].parts] == [None, None]
    assert handed.links == ()


@pytest.mark.parametrize("shift", [timedelta(seconds=4), timedelta(days=-20000), timedelta(days=1)])
def test_only_a_clock_that_is_really_off_is_corrected(shift: timedelta):
    at = NOW - shift
    data = {
        "SnapshotAt": at.isoformat(),
        "OpenedAt": (at - timedelta(minutes=1)).isoformat(),
        "Messages": [{"Direction": "in", "At": (at - timedelta(seconds=30)).isoformat()}],
    }
    handed = read(data)
    off = abs(shift) > timedelta(seconds=5)
    assert handed.clock_shift == (shift.total_seconds() if off else 0)
    late = timedelta() if off else shift
    assert handed.opened_at == NOW - timedelta(minutes=1) - late
    assert handed.messages[0].at == NOW - timedelta(seconds=30) - late


def test_nothing_has_happened_after_we_were_told_of_it():
    changed = put(("Messages", 0, "At"), "9999-12-31T23:59:59Z")
    changed["Caller"]["LastSignOfLifeAt"] = "9999-12-31T00:00:00Z"
    handed = read(changed)
    assert handed.messages[0].at == handed.last_sign_of_life == NOW


@pytest.mark.parametrize("many", [["x"] * LARGEST_SIGNALLING, "\u20ac" * LARGEST_SIGNALLING])
def test_signalling_that_would_weigh_on_every_lock_of_its_chat_is_refused(many: Any):
    """It stands in the chat's row, and the sweep of transfers locks it many times a second."""
    assert pointers({"Signalling": {"a": many}}) == ["/Signalling"]
    assert read({"Signalling": {"a": "x" * (LARGEST_SIGNALLING - 20)}}).signalling


WAY = [{"uri": "sip:a@example.org", "cause": 302, "reason": "moved"}]


@pytest.mark.parametrize(
    ("member", "ours", "odd"),
    [
        ("cameVia", WAY, ["text", [None], [{}], [{"uri": 7}], [{"uri": "a", "reason": 7}]]),
        ("languages", ["de", "en"], ["de", [7], {}]),
    ],
)
def test_signalling_of_another_form_is_shown_and_breaks_no_screen(
    member: str, ours: Any, odd: list[Any]
):
    """static/console/signalling-facts.js looks into these two, and ends with a TypeError else."""
    assert read({"Signalling": {member: ours}}).signalling == {member: ours}
    for value in odd:
        assert read({"Signalling": {member: value}}).signalling == {f"x-{member}": value}


def test_a_source_id_of_a_peer_is_a_claim_and_reported_to_nobody():
    read_back = read({"Signalling": {"source": "urn:of:somebody:else", "subject": "help"}})
    assert read_back.signalling == {"claimedSource": "urn:of:somebody:else", "subject": "help"}


@pytest.mark.parametrize(
    ("name", "member", "ours", "odd"),
    [
        ("Data", "values", [{"name": "t", "value": 21.5}], ["text", [None], [7], {}]),
        ("Geometry", "ring", [[48.2, 16.3], [48.3, 16.3]], ["text", [None], [[1]], [["1", "2"]]]),
        ("Geometry", "outerRadius", 70.5, ["70", True, [], {}]),
    ],
)
def test_readings_of_another_form_break_no_screen_either(
    name: str, member: str, ours: Any, odd: list[Any]
):
    """static/console/{data-blocks,shape-outline}.js look into these."""

    def read_back(value: Any) -> Any:
        data = {"Messages": [{"Direction": "in", "Id": "m1"}]}
        if name == "Geometry":
            fix = {"Shape": "Polygon", "Geometry": {member: value}}
            return read(data | {"Locations": [fix]}).fixes[0].geometry
        block = {"Kind": "Sensor", "Data": {member: value}}
        return read(data | {"AdditionalData": [block]}).data[0].data

    assert read_back(ours) == {member: ours}
    for value in odd:
        assert read_back(value) == {f"x-{member}": value}
