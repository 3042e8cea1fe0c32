/**
 * What a call-taker does to a chat seldom: redirect it and take it back, have something fetched,
 * report its source. Each reports what went wrong in words.
 */
export class ErrandDesk {
  #calls;
  #notices;

  /** @param {{calls: import("./call-desk.js").CallDesk, notices: object}} parts */
  constructor({ calls, notices }) {
    this.#calls = calls;
    this.#notices = notices;
  }

  /** Pass a chat on; each step follows as an event. @param {{card, peer, text, override}} wish */
  async redirect({ card: { chat }, peer, text, override }) {
    const reply = await this.#calls.ask({ do: "redirect", chat, peer: String(peer.id), text, override }, `Redirecting #${chat}`);
    if (reply.ok) this.#notices.announce(`#${chat}: redirecting to ${peer.name}.`);
    else this.#notices.warn(`#${chat} was not redirected: ${reply.detail}`);
  }

  /** End a redirect that is under way: the chat goes on here. */
  async takeBack(chat) {
    const reply = await this.#calls.ask({ do: "take-back", chat }, `Taking #${chat} back`);
    if (!reply.ok) this.#notices.warn(`#${chat} was not taken back: ${reply.detail}`);
  }

  async fetchReference(chat, { id }) {
    const reply = await this.#calls.ask({ do: "fetch-reference", chat, reference: id }, "Fetching");
    if (reply.ok) this.#notices.say("Being fetched.");
    else this.#notices.warn(`Not fetched: ${reply.detail}`);
  }

  async reportSource({ card: { chat }, reason }) {
    const reply = await this.#calls.ask({ do: "report-source", chat, reason }, `Reporting the source of #${chat}`);
    if (reply.ok) this.#notices.say(`The source of #${chat} is being reported.`);
    else this.#notices.warn(`The source of #${chat} was not reported: ${reply.detail}`);
  }
}
