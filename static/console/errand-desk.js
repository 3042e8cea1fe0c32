/**
 * What a call-taker does to a chat seldom: redirect it and take it back, write anew after its end,
 * have something fetched, report its source. Each reports what went wrong in words.
 */
export class ErrandDesk {
  #calls;
  #notices;
  #composer;
  #drafts;

  /** @param parts those of the Console */
  constructor({ calls, notices, composer, drafts }) {
    this.#calls = calls;
    this.#notices = notices;
    this.#composer = composer;
    this.#drafts = drafts;
  }

  /** Pass a chat on; each step follows as an event. @param {{card, peer, text, override}} wish */
  async redirect({ card: { chat }, peer, text, override }) {
    const reply = await this.#calls.ask({ do: "redirect", chat, peer: String(peer.id), text, override }, `Redirecting #${chat}`);
    if (reply.ok) this.#notices.announce(`#${chat}: redirecting to ${peer.name}.`);
    else this.#notices.warn(`#${chat} was not redirected: ${reply.detail}`);
  }

  /** Open an ended chat again with a text. @param {{card: object, text: string}} wish */
  async callBack({ card: { chat }, text }) {
    const reply = await this.#calls.ask({ do: "call-back", chat, text }, `Writing to #${chat} again`);
    if (reply.ok) this.#composer.empty(chat);
    else {
      this.#drafts.write(chat, text);
      this.#notices.warn(`#${chat} was not written to: ${reply.detail} The text is kept.`);
    }
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
