"""Consoles in Chromium: logged-in call-takers, each with a chat open, and a clock in each page."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from bench.browser import Chromium, Page

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
STOP_PAINTING = "document.body.style.setProperty('display', 'none', 'important')"
READ_SEEN = "Object.fromEntries(window.benchSeen)"
LOG_IN = """
(() => {{
  const form = document.querySelector("form:has(input[name=password])");
  form.username.value = {username};
  form.password.value = {password};
  return true;
}})()
"""
SUBMIT = "form:has(input[name=password]) button[type=submit]"
ANSWER = '.card[data-chat="{}"] .card-answer'
SHOWN = """document.querySelector("[data-message-id] .message-text") !== null"""


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


async def open_desk(
    browser: Chromium, url: str, login: tuple[str, str], chat: str, *, paints: bool
) -> Desk:
    """Log in, answer the chat from the queue, and wait until it is on the screen."""
    page = await browser.open(url, OBSERVER)
    username, password = map(json.dumps, login)
    await page.until(LOG_IN.format(username=username, password=password))
    await page.click(SUBMIT)
    await page.click(ANSWER.format(chat))
    await page.until(SHOWN)
    if not paints:
        await page.evaluate(STOP_PAINTING)
    return Desk(page, chat, paints)


async def open_desks(
    browser: Chromium,
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
