"""What everybody may read: the page, the OpenAPI document, the schemas at their URLs."""

import itertools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from jsonschema import Draft7Validator
from playwright.async_api import Browser

from tests.support.peerapi import PeerApiProcess, PeerConnection
from transfer_api import examples, requests, schemas
from transfer_api.profile.reader import read_data

ROOT = Path(__file__).parents[2]
ANNEX = ("chattrnegrequ", "chattrnegresp", "chattrexerequ", "chattrexeresp")
ETSI = "https://forge.etsi.org/rep/emtel/ts-103-698/json-schema/blob/v1.1.1"


_addresses = itertools.count(1)


@pytest.fixture
def reader(api: PeerApiProcess) -> Iterator[PeerConnection]:
    """Somebody who shows nothing, each from elsewhere as our proxy says: strangers ask seldom."""
    with api.through_proxy() as connection:
        connection.always["X-Real-IP"] = f"192.0.2.{next(_addresses)}"
        yield connection


@pytest.mark.parametrize("name", ANNEX)
def test_the_schemas_of_the_annex_stand_here_with_its_identifiers(
    reader: PeerConnection, name: str
):
    answer = reader.ask("GET", f"/transfer/schemas/{name}.json")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/schema+json"
    assert answer.json["$id"] == f"{ETSI}/{name}.json"
    assert answer.json["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert answer.body == (ROOT / f"transfer_api/schemas/{name}.json").read_bytes()


def test_the_schemas_of_the_annex_demand_what_its_tables_do():
    """Tables 5 to 8 and Annex A.1 to A.4, key by key."""
    required = {name: set(schemas.schema(name)["required"]) for name in ANNEX}
    assert required == {
        "chattrnegrequ": {"CallId", "TransferFrom", "TransferTo"},
        "chattrnegresp": {"CallId", "ExpiryTime", "StatusCode"},
        "chattrexerequ": {"CallId", "MessageId", "ExpiryTime"},
        "chattrexeresp": {"CallId", "StatusCode"},
    }
    properties = {name: schemas.schema(name)["properties"] for name in ANNEX}
    assert properties["chattrnegresp"]["StatusCode"]["enum"] == [202, 406]
    assert properties["chattrnegresp"]["ExpiryTime"]["minimum"] == 10
    assert properties["chattrexeresp"]["StatusCode"]["enum"] == [200, 503]
    assert properties["chattrexerequ"]["ExpiryTime"]["minimum"] == 10
    assert properties["chattrexerequ"]["MessageId"]["minimum"] == 1
    assert set(properties["chattrnegrequ"]) - required["chattrnegrequ"] == {"ReasonText"}
    assert set(properties["chattrexerequ"]) - required["chattrexerequ"] == {"Data"}


@pytest.mark.parametrize("name", schemas.names())
def test_every_schema_is_one_and_is_served(reader: PeerConnection, name: str):
    answer = reader.ask("GET", f"/transfer/schemas/{name}.json")
    Draft7Validator.check_schema(answer.json)
    assert answer.json["description"]


@pytest.mark.parametrize("name", schemas.names())
def test_each_schema_has_an_example_that_fits_it(name: str):
    Draft7Validator(schemas.schema(name)).validate(examples.BY_SCHEMA[name])


def test_the_examples_of_requests_are_understood():
    asked = requests.read_negotiation(json.dumps(examples.NEGOTIATION).encode())
    assert asked.transfer_from == examples.PEER
    execution = requests.read_execution(json.dumps(examples.EXECUTION).encode())
    assert execution.data is not None
    now = datetime(2026, 1, 31, 12, 0, 6, tzinfo=UTC)
    handed = read_data(execution.data, received_at=now, peer_uris=(examples.PEER,), sent_at=None)
    assert [message.text for message in handed.messages] == ["Hilfe, es brennt!", "Wo sind Sie?"]
    requests.read_custody_notice(json.dumps(examples.NOTICE).encode())


def test_the_example_in_the_docs_is_the_one_that_is_tested():
    (written,) = re.findall(
        r"```json\n(.*?)```", (ROOT / "docs/transfer.md").read_text(), re.DOTALL
    )
    assert json.loads(written) == examples.EXECUTION


def test_what_is_no_schema_gets_404(reader: PeerConnection):
    for name in ("nothing", "..%2f__init__", "data.json"):
        answer = reader.ask("GET", f"/transfer/schemas/{name}.json")
        assert (answer.status, answer.json["status"]) == (404, 404)


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


def test_the_openapi_document_names_every_view_and_all_its_references_lead_somewhere(
    reader: PeerConnection,
):
    document = reader.ask("GET", "/transfer/openapi.json").json
    assert document["openapi"].startswith("3.1.")
    assert set(document["paths"]) == {
        "/transfer/v1/negotiation",
        "/transfer/v1/execution",
        "/transfer/v1/custody",
        "/transfer/v1/withdrawal",
        "/transfer/v1/attachments/{sha256}",
    }
    for reference in _references(document):
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    assert not re.search(r'"\$(schema|id)"', json.dumps(document))
    execution = document["components"]["schemas"]["ChatTransferExecutionRequest"]
    assert execution["properties"]["Data"] == {"$ref": "#/components/schemas/ChatData"}
    assert execution["properties"]["MessageId"]["maximum"] == 2**53 - 1


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/transfer/", "text/html; charset=utf-8"),
        ("/transfer/page.css", "text/css"),
        ("/transfer/openapi.json", "application/json"),
        ("/healthz", "application/json"),
    ],
)
def test_everybody_may_read_and_nobody_may_do_anything_else(
    reader: PeerConnection, path: str, content_type: str
):
    answer = reader.ask("GET", path)
    assert (answer.status, answer.headers["content-type"]) == (200, content_type)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in answer.headers
    head = reader.ask("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == answer.headers["content-length"]
    other = reader.ask("POST", path)
    assert (other.status, other.headers["allow"]) == (405, "GET, HEAD")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_runs_nothing_and_loads_nothing_from_elsewhere(reader: PeerConnection):
    answer = reader.ask("GET", "/transfer/", host='evil.example"><script>')
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = _Tags()
    page.feed(answer.body.decode())
    assert not [tag for tag, _ in page.tags if tag in ("script", "style", "iframe", "img")]
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")], tag
        for name in ("href", "src"):
            assert re.match(r"[/#]", attributes.get(name) or "/")


def test_each_link_of_the_page_leads_somewhere(reader: PeerConnection):
    page = _Tags()
    page.feed(reader.ask("GET", "/transfer/").body.decode())
    identifiers = {attributes.get("id") for _, attributes in page.tags}
    links = {attributes["href"] for tag, attributes in page.tags if tag in ("a", "link")}
    assert len(links) > 10
    for link in links:
        if str(link).startswith("#"):
            assert str(link)[1:] in identifiers
        else:
            assert reader.ask("GET", str(link)).status == 200


RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_breaks_no_rule_of_accessibility(
    api: PeerApiProcess, browser: Browser, scheme: str
):
    page = await browser.new_page(
        ignore_https_errors=True,
        bypass_csp=True,  # axe is a script
        color_scheme=scheme,
        viewport={"width": 320, "height": 600},
    )
    await page.goto(f"https://127.0.0.1:{api.port}/transfer/")
    options = {"runOnly": RULES, "resultTypes": ["violations"]}
    found = (await Axe().run(page, options=options)).response["violations"]
    wider = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    await page.context.close()
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []
    assert not wider
