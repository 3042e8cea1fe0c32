"""A call-taker's desk for end-to-end tests: the console in Chromium, worked by its keys."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from playwright.async_api import Browser, Locator, Page, Playwright, expect

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
]
# Other work may share the machine; a condition that holds earlier is seen earlier.
PATIENCE = 15_000
CLOSES_WITHIN = 10.0  # it once did not within minutes
expect.set_options(timeout=PATIENCE)


async def launch_chromium(playwright: Playwright) -> Browser:
    """Start Debian's Chromium without a screen."""
    return await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@dataclass(slots=True)
class Desk:
    """One browser of one call-taker; collects what the page should never say."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    @classmethod
    async def open(cls, browser: Browser) -> "Desk":
        context = await browser.new_context(viewport={"width": 1366, "height": 768})
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        desk = cls(page)
        page.on("pageerror", lambda error: desk.complaints.append(str(error)))
        page.on("console", lambda message: desk._listen(message.type, message.text))
        return desk

    def _listen(self, kind: str, text: str) -> None:
        if kind == "error" and ("Content Security Policy" in text or "Refused to" in text):
            self.complaints.append(text)

    async def close(self) -> None:
        """Leave; what Chromium does not close in time ends with it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSES_WITHIN):
                await self.page.context.close()

    async def log_in(self, url: str, username: str, password: str) -> None:
        """Log in by the keyboard and wait for the console to be live."""
        await self.page.goto(url)
        await self.press("Control+a")
        await self.page.keyboard.type(username)
        await self.press("Tab")
        await self.page.keyboard.type(password)
        await self.press("Enter")
        await self.live()

    async def live(self) -> None:
        """Wait until the console follows the server."""
        await expect(self.page.locator("body.console")).to_have_attribute("data-connection", "live")
        await expect(self.page.locator("#psap-name")).not_to_be_empty()

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def answer(self) -> None:
        """Answer the one chat that rings or is about to, ready to write."""
        await expect(self.section("ringing")).to_have_count(1)
        await self.press("a")
        await expect(self.section("ringing")).to_have_count(0)
        await expect(self.page.locator("#composer-text")).to_be_focused()

    async def write(self, text: str) -> None:
        """Type into whatever has the focus, and send."""
        await self.page.keyboard.insert_text(text)
        await self.press("Enter")

    def card(self, chat: str) -> Locator:
        return self.page.locator(f'#queue [data-chat="{chat}"]')

    def section(self, name: str) -> Locator:
        return self.page.locator(f'#queue [data-section="{name}"]')

    def message(self, text: str) -> Locator:
        """Messages of the open conversation with exactly this text."""
        exact = self.page.locator(".message-text").get_by_text(text, exact=True)
        return self.page.locator(".message").filter(has=exact)

    def notice(self, text: str) -> Locator:
        return self.page.locator(".toast").filter(has_text=text)
