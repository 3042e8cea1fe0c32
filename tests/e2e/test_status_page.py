"""The status page in a browser: it follows by itself, and breaks no rule of accessibility."""

import secrets

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import OpenDesk
from tests.e2e.test_console_accessible import SCHEMES, violations
from tests.support.instance import Instance

JOURNAL = """
    INSERT INTO chats_journal
        (received_at, trunk, transport, peer, trusted, request_key, call_id, raw)
    VALUES (now(), '', 'udp', '192.0.2.9:5060', false, %s, '', 'MESSAGE sip:112@x SIP/2.0')
    RETURNING id
"""
ASIDE = "INSERT INTO chats_setaside (journal_id, at, error) VALUES (%s, now(), 'DataError')"


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_status_page_follows_by_itself_and_breaks_no_rule(
    instance: Instance, open_desk: OpenDesk, scheme: str
):
    desk = await open_desk("supervisor")
    page = desk.page
    await page.emulate_media(color_scheme=scheme)
    await page.goto(instance.url.rstrip("/") + "/status/")
    await expect(page.get_by_role("heading", name="Programs")).to_be_visible()
    await expect(page.get_by_role("row", name="gateway")).to_contain_text("running")
    assert await violations(page) == []
    key = secrets.token_bytes(16)
    ((journal,),) = instance.rows(JOURNAL, key)
    instance.rows(ASIDE, journal)
    try:
        await expect(page.get_by_text("Messages could be put on no chat")).to_be_visible(
            timeout=15_000
        )
        assert await violations(page) == []
        await page.set_viewport_size({"width": 320, "height": 640})
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await page.evaluate(wide)
    finally:
        instance.rows("DELETE FROM chats_setaside WHERE journal_id = %s", journal)
        instance.rows("DELETE FROM chats_journal WHERE id = %s", journal)
