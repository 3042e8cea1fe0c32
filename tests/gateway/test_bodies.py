"""Bodies of all kinds from the wire to the record, its proof, and what consoles get of it."""

import base64
import gzip
import hashlib
import json
from pathlib import Path

import pytest
from django.core.management import CommandError

from chats import wire
from chats.selectors import conversation
from tests.gateway.test_bad_input import app, incoming, multipart, shown  # noqa: F401
from tests.protocol.test_additional import COMMENT, DEVICE, PROVIDER, SERVICE
from tests.protocol.test_cap import AREA, alert
from tests.support.caller import Caller
from tests.support.eventually import eventually
from tests.support.rawsip import make_message

DOCUMENTS = Path(__file__).parent.parent / "data" / "pidflo"
PIDF = "application/pidf+xml"
TEXT = ("text/plain;charset=utf-8", b"Hilfe")
BESIDE = {
    "point-2d": {},
    "point-3d": {"altitude": 24.8},
    "circle": {},
    "ellipse": {"geometry": {"semiMajorAxis": 1275.0, "semiMinorAxis": 670.0, "orientation": 43.2}},
    "arc-band": {
        "geometry": {
            **{"innerRadius": 1661.55, "outerRadius": 2215.4},
            **{"startAngle": 266.0, "openingAngle": 120.0},
        }
    },
    "sphere": {"altitude": 26.3},
    "ellipsoid": {
        "altitude": 26.3,
        "geometry": {
            **{"semiMajorAxis": 7.7156, "semiMinorAxis": 3.31},
            **{"orientation": 90.0, "verticalAxis": 28.7},
        },
    },
}


def document(name):
    return (DOCUMENTS / f"{name}.xml").read_bytes()


def told(record, export):
    """What a console gets of a chat."""
    return record.run(lambda: wire.conversation(conversation(int(export["id"]))))


@pytest.mark.conformance("6.1.2.8-4")
@pytest.mark.parametrize("name", sorted(path.stem for path in DOCUMENTS.glob("*.xml")))
async def test_each_shape_is_on_the_record_and_on_the_screens(app, record, name):  # noqa: F811
    caller = Caller()
    body = multipart((PIDF, document(name)), TEXT)
    export = await shown(app, record, caller, caller.message(257, **body))
    (first, *others) = export["locations"]
    fixes = told(record, export)["fixes"]
    assert fixes[0]["shape"] == first["shape"]
    assert fixes[0].get("geometry") == first.get("geometry")
    assert len(others) == (1 if name == "two-sources" else 0)
    if name in BESIDE:
        names = ("altitude", "confidence", "geometry", "civic")
        assert {key: first[key] for key in names if key in first} == BESIDE[name]
    if "polygon" in name:
        assert len(first["geometry"]["ring"]) == 6
    if name == "prism":
        assert first["geometry"]["height"] == 2.4 and len(first["geometry"]["ring"]) == 4
    if name == "civic":
        assert (first["shape"], first["lat"], first["lon"]) == ("Civic", None, None)
        assert first["civic"]["RD"] == "Schwarzspanierstraße"
    if name == "civic-beside-point":
        assert (first["shape"], first["confidence"]) == ("Point", 67.0)
        assert first["civic"]["A3"] == "Wollongong"
    assert first["source"] in ("tuple", "device", "person")
    record.verify(int(export["id"]))


async def test_rich_and_plain_locations_of_one_message_keep_their_order(app, record):  # noqa: F811
    """Red when they are written apart: the chain told another order, the card an older fix."""
    caller = Caller()
    names = ("ellipse", "circle", "prism", "point-2d")
    body = multipart(*((PIDF, document(name)) for name in names), TEXT)
    export = await shown(app, record, caller, caller.message(257, **body), caller.say("und"))
    shapes = [fix["shape"] for fix in export["locations"]]
    assert shapes == ["Ellipse", "Circle", "Prism", "Point"]
    assert told(record, export)["card"]["fix"]["shape"] == "Point"
    record.verify(int(export["id"]))


async def test_the_card_has_the_latest_position_though_an_address_came_later(app, record):  # noqa: F811
    caller = Caller()
    first = caller.message(257, **multipart((PIDF, document("civic")), TEXT))
    export = await shown(app, record, caller, first)
    assert told(record, export)["card"]["fix"]["shape"] == "Civic"
    for name in ("circle", "ellipse", "civic"):
        body = multipart((PIDF, document(name)), TEXT)
        assert (await app.exchange(caller.message(259, **body))).status == 200
    await eventually(lambda: len(record.texts_in(caller.call_id)) == 4, "all are shown")
    assert told(record, export)["card"]["fix"]["shape"] == "Ellipse"


@pytest.mark.parametrize(
    "change",
    [
        "civic = jsonb_set(civic, '{HNO}', '\"13\"')",
        "confidence = 99",
        "altitude = 1",
        "source = 'device'",
        "geometry = '{\"ring\": []}'",
    ],
)
async def test_a_changed_reading_breaks_the_record(app, record, change):  # noqa: F811
    """Red when the digest leaves out what only some locations have."""
    caller = Caller()
    body = multipart((PIDF, document("civic-beside-point")), TEXT)
    export = await shown(app, record, caller, caller.message(257, **body))
    record.verify(int(export["id"]))
    changed = f"UPDATE chats_locationfix SET {change} WHERE chat_id = %s"  # noqa: S608
    record.rows(changed, int(export["id"]))
    with pytest.raises(CommandError, match="positions"):
        record.verify(int(export["id"]))


@pytest.mark.conformance("6.1.2.8-5")
async def test_each_kind_of_data_is_read_and_its_part_kept(app, record):  # noqa: F811
    caller = Caller()
    kind = "application/EmergencyCallData."
    msd = bytes.fromhex("015C0681D54970D65C3597CA0420C414")
    parts = (
        (f"{kind}ProviderInfo+xml", PROVIDER.encode()),
        (f"{kind}ServiceInfo+xml", SERVICE.encode()),
        (f"{kind}DeviceInfo+xml", DEVICE.encode()),
        (f"{kind}Comment+xml", COMMENT.encode()),
        (f"{kind}eCall.MSD", msd),
        ("text/vcard", b"BEGIN:VCARD\nFN:Max\nEND:VCARD\n"),
        ("application/senml+json", b'[{"bn":"t","v":21.50,"u":"Cel"}]'),
        ("application/x-of-tomorrow", b"\x00\x01"),
        TEXT,
    )
    export = await shown(app, record, caller, caller.message(257, **multipart(*parts)))
    blocks = {block["kind"]: block for block in export["additionalData"]}
    assert [*blocks] == [
        *("ProviderInfo", "ServiceInfo", "DeviceInfo", "Comment", "eCall", "VCard", "Sensor")
    ]
    assert blocks["ProviderInfo"]["name"] == "Example VoIP Provider"
    assert blocks["eCall"]["sha256"] == hashlib.sha256(msd).hexdigest()
    assert blocks["Sensor"]["values"] == [{"name": "t", "value": "21.50", "unit": "Cel"}]
    kept = incoming(export)[0]["parts"]
    assert [part["size"] for part in kept] == [len(data) for _, data in parts]
    assert {part["flag"] for part in kept} == {""}
    assert json.dumps(told(record, export)["additionalData"])
    record.verify(int(export["id"]))


async def test_blocks_within_a_location_are_read_too(app, record):  # noqa: F811
    caller = Caller()
    provided = f"<gp:provided-by><x>{PROVIDER}</x></gp:provided-by></gp:geopriv>".encode()
    data = document("circle").replace(b"</gp:geopriv>", provided)
    body = multipart((PIDF, data), TEXT)
    export = await shown(app, record, caller, caller.message(257, **body))
    assert [block["kind"] for block in export["additionalData"]] == ["ProviderInfo"]


async def test_an_alert_brings_its_areas_and_its_sender_stays_where_it_is(app, record):  # noqa: F811
    caller = Caller()
    area = AREA.format("Tunnel", "<circle>47.1,15.4 0.5</circle>")
    cap = ("application/EmergencyCallData.cap+xml", alert(area))
    body = multipart((PIDF, document("point-2d")), cap)
    sent = make_message(from_uri=caller.uri, body=body["body"], content_type=body["content_type"])
    assert (await app.exchange(sent)).status == 200
    found = "SELECT chat_id FROM chats_additionaldata WHERE kind = 'Alert'"
    chat = await eventually(lambda: record.value(found), "the alert is on the record")
    assert record.value("SELECT alert FROM chats_chat WHERE id = %s", chat) is True
    export = record.export(f"#{chat}")
    (block,) = export["additionalData"]
    assert (block["kind"], block["event"], block["areas"]) == (
        *("Alert", "BURGLARY"),
        [{"description": "Tunnel"}],
    )
    places = [(fix["shape"], fix["radius"], fix["source"]) for fix in export["locations"]]
    assert places == [("Circle", 500.0, "alert"), ("Point", None, "tuple")]
    assert told(record, export)["card"]["fix"]["source"] == "tuple"
    record.verify(chat)


@pytest.mark.conformance("6.1.2.8-1", "6.1.2.8-2", "6.1.2.8-5")
async def test_nested_and_compressed_parts_with_their_names(app, record):  # noqa: F811
    caller = Caller()
    image = b"\x89PNG\r\n\x1a\n" + b"x" * 100
    inner = (
        b"--C\r\nContent-Type: text/plain;charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nK=C3=BCche\r\n"
        b"--C\r\nContent-Type: text/html\r\n\r\n<p>K&uuml;che</p>\r\n--C--"
    )
    picture = (
        b"Content-Type: image/png; name=x.png\r\nContent-Transfer-Encoding: base64\r\n"
        b"Content-Disposition: attachment; filename*=utf-8''K%C3%BCche.png\r\n\r\n"
        + base64.encodebytes(image)
    )
    body = (
        b"--B\r\nContent-Type: multipart/alternative; boundary=C\r\n\r\n" + inner + b"\r\n"
        b"--B\r\n" + picture + b"\r\n--B--"
    )
    request = caller.message(
        257,
        gzip.compress(body),
        content_type="multipart/related; boundary=B",
        headers=(("Content-Encoding", "gzip"),),
    )
    export = await shown(app, record, caller, request)
    assert incoming(export)[0]["text"] == "Küche"
    parts = incoming(export)[0]["parts"]
    assert [part["contentType"] for part in parts] == ["text/plain", "text/html", "image/png"]
    assert (parts[2]["sha256"], parts[2]["name"]) == (
        hashlib.sha256(image).hexdigest(),
        "Küche.png",
    )
    part = told(record, export)["messages"][0]["parts"][2]
    assert (part["inline"], part["name"]) == (True, "Küche.png")
    assert part["url"] == f"/chats/{export['id']}/parts/{part['id']}/"
    record.verify(int(export["id"]))


@pytest.mark.parametrize(
    "part",
    [
        (PIDF, document("polygon").replace(b"43.111", b"nan")),
        (PIDF, b'<!DOCTYPE p [<!ENTITY a "b">]><presence>&a;</presence>'),
        ("application/EmergencyCallData.ProviderInfo+xml", b"<x>"),
        ("application/cap+xml", b"<alert>" * 3000),
        ("application/json", b"[" * 100_000),
        ("text/vcard", b"no card"),
    ],
    ids=["nan", "entity", "provider", "deep-alert", "deep-json", "vcard"],
)
async def test_what_is_broken_costs_its_part_alone(app, record, part):  # noqa: F811
    caller = Caller()
    export = await shown(app, record, caller, caller.message(257, **multipart(part, TEXT)))
    assert (incoming(export)[0]["text"], export["locations"]) == ("Hilfe", [])
    assert [found["flag"] for found in incoming(export)[0]["parts"]] == ["unreadable", ""]
    assert export["additionalData"] == []
