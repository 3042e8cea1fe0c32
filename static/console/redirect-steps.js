/** How far the redirect of a chat has come, read from its events (TS 103 698 clause 6.2.7). */

const STOP_REDIRECT = 274;

/**
 * @param {object} card
 * @param {{kind: string, at: string, data: object}[]} events
 * @param {Iterable<object>} messages of the chat
 * @returns {?{state: "under-way"|"done"|"failed", target: string, cause: string, at: string,
 *   asked: ?object}} null when there is nothing to show; `asked` is our message to the app
 */
export function redirectOf(card, events, messages) {
  const last = events.findLast(({ kind }) => kind in STATES);
  if (!last) return null;
  const begun = events.findLast(({ kind }) => kind === "chat-redirecting") ?? last;
  const target = begun.data?.target ?? last.data?.target ?? card.goneTo ?? "";
  const asked = [...messages].findLast(({ direction, type }) => direction === "out" && type === STOP_REDIRECT) ?? null;
  return { state: STATES[last.kind], target, cause: last.data?.cause ?? "", at: last.at, asked };
}

const STATES = {
  "chat-redirecting": "under-way", "chat-redirected": "done", "redirect-failed": "failed",
};

/**
 * The steps in words, each "done", "current", "waiting" or "failed".
 * @param {ReturnType<typeof redirectOf>} redirect @param {string} name of the other control room
 * @returns {{text: string, state: string}[]}
 */
export function redirectSteps({ state, asked }, name) {
  const delivery = asked?.status ?? "queued";
  const told = state === "done" || delivery === "delivered";
  const lost = ["failed", "cancelled"].includes(delivery) && !told;
  return [
    { text: "Chat held: texts wait as drafts", state: "done" },
    {
      text: lost ? "The app could not be told" : told ? `App told to go to ${name}` : `Telling the app to go to ${name}`,
      state: lost ? "failed" : told ? "done" : state === "failed" ? "failed" : "current",
    },
    {
      text: state === "done" ? `The app has gone to ${name}` : `The app goes over to ${name}`,
      state: state === "done" ? "done" : state === "failed" ? "failed" : told ? "current" : "waiting",
    },
  ];
}
