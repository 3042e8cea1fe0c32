"""Consoles in Chromium: logged-in call-takers, each with a chat open, and a clock in each page."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, Page

# Notes for each text of the bench that gets into the conversation how old it was then.
# The observer runs before anything else may happen in the page: the text is in the document.
OBSERVER = """
(() => {
  window.benchSeen = new Map();
  const note = (element) => {
    const stamp = /^bench (\\d+)$/.exec(element.textContent.trim())?.[1];
    if (!stamp || window.benchSeen.has(stamp)) return;
    const now = performance.timeOrigin + performance.now();
    window.benchSeen.set(stamp, now - Number(stamp) / 1e6);
  };
  const look = (node) => {
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    if (node.matches(".message-text")) note(node);
    for (const text of node.querySelectorAll("[data-message-id] .message-text")) note(text);
  };
  new MutationObserver((records) => {
    for (const record of records) for (const node of record.addedNodes) look(node);
  }).observe(document, { childList: true, subtree: true });
})();
"""
# Twenty desks are twenty machines: all run the whole console, only some of them paint it here.
STOP_PAINTING = "() => document.body.style.setProperty('display', 'none', 'important')"
READ_SEEN = "() => Object.fromEntries(window.benchSeen)"
ANSWER = '.card[data-chat="{}"] .card-answer'
PATIENCE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Desk:
    """One console; `chat` is the id of the chat that it shows."""

    page: Page
    chat: str
    paints: bool

    async def seen(self) -> dict[str, float]:
        """Return the texts in the document so far: stamp → milliseconds after it was sent."""
        found = await self.page.evaluate(READ_SEEN)
        return {str(stamp): float(value) for stamp, value in found.items()}


def chromium_path() -> str:
    """Return the browser of the Debian package."""
    return shutil.which("chromium") or "chromium"


def launch_options() -> dict[str, Any]:
    """Return how Chromium is started: every page works as if it were in front."""
    return {
        "executable_path": chromium_path(),
        "headless": True,
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-timer-throttling",
            "--disable-renderer-backgrounding",
            "--disable-backgrounding-occluded-windows",
        ],
    }


async def open_desk(
    browser: Browser, url: str, login: tuple[str, str], chat: str, *, paints: bool
) -> Desk:
    """Log in, answer the chat from the queue, and wait until it is on the screen."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    await page.add_init_script(OBSERVER)
    await page.goto(url)
    await page.fill("input[name=username]", login[0])
    await page.fill("input[name=password]", login[1])
    await page.click("button[type=submit]")
    await page.click(ANSWER.format(chat))
    await page.wait_for_selector("[data-message-id] .message-text")
    if not paints:
        await page.evaluate(STOP_PAINTING)
    return Desk(page, chat, paints)


async def open_desks(
    browser: Browser,
    url: str,
    logins: Sequence[tuple[str, str]],
    chats: Sequence[str],
    painting: int,
) -> list[Desk]:
    """Open one desk after the other; all starting at once would starve each other."""
    desks: list[Desk] = []
    for login, chat in zip(logins, chats, strict=True):
        desks.append(await open_desk(browser, url, login, chat, paints=len(desks) < painting))
    return desks
