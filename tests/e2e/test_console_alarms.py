"""What is wrong with the instance itself, told at every desk until it is right again."""

from playwright.async_api import expect

from tests.e2e.conftest import OpenDesk
from tests.support.instance import Instance

EXPIRING = """
    INSERT INTO psap_peercertificate (trunk, fingerprint, subject, names, not_after, seen_at)
    VALUES ('bcf', 'ee', '', 'bcf.example.org', now() + interval '12 days', now()) RETURNING id
"""
RENEWED = "DELETE FROM psap_peercertificate WHERE fingerprint = 'ee' RETURNING id"


async def test_a_certificate_about_to_expire_is_told_at_every_desk_until_it_is_renewed(
    open_desk: OpenDesk, instance: Instance
):
    desk = await open_desk()
    strip = desk.page.locator("#alarms")
    instance.execute(EXPIRING)
    try:
        await expect(strip).to_contain_text("Warning The certificate of bcf.example.org")
        await expect(strip.locator("a")).to_be_hidden()
        await expect(desk.page.locator("#announce-politely")).to_contain_text("bcf.example.org")
        later = await open_desk("supervisor")
        await expect(later.page.locator("#alarms")).to_contain_text("bcf.example.org")
    finally:
        instance.execute(RENEWED)
    await expect(strip).not_to_contain_text("bcf.example.org")
    status = later.page.locator("#alarms a")
    async with later.page.expect_response("**/status/") as response:
        await status.dispatch_event("click")
    assert (await response.value).ok
