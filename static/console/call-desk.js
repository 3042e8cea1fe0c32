import { needsClosing } from "./chat-store.js";
import { callerWord } from "./words.js";

const SLOW = 800;

/**
 * What a call-taker does to a chat: answer, give back, close. Each reports what went wrong in
 * words. Emits "answered" (detail: {chat, askedAt}, the time as performance.now() has it).
 */
export class CallDesk extends EventTarget {
  #store;
  #desk;
  #notices;
  #drafts;
  #closing;
  #annex;
  #claiming = new Set();

  constructor({ store, desk, notices, drafts, closing, annex }) {
    super();
    this.#store = store;
    this.#desk = desk;
    this.#notices = notices;
    this.#drafts = drafts;
    this.#closing = closing;
    this.#annex = annex;
  }

  connect() {
    this.#closing.addEventListener("due", ({ detail }) => this.#close(detail));
  }

  /** Claim the ringing chat that waits longest. */
  answerLongest() {
    const [chat] = this.#store.idsOf("ringing").filter((id) => !this.#claiming.has(id));
    if (chat) return this.answer(chat);
    this.#notices.say("Nobody is waiting.");
    return Promise.resolve(false);
  }

  /** Claim one chat; false when somebody was faster or it cannot be claimed. */
  async answer(chat) {
    const card = this.#store.cards.get(chat);
    if (!card || this.#claiming.has(chat)) return false;
    if (this.#store.isMine(card)) return true;
    this.#claiming.add(chat);
    const askedAt = performance.now();
    const reply = await this.ask({ do: "claim", chat }, `Answering ${callerWord(card)}`);
    this.#claiming.delete(chat);
    if (reply.ok) {
      this.dispatchEvent(new CustomEvent("answered", { detail: { chat, askedAt } }));
      return true;
    }
    this.#notices.warn(claimWords(reply, card));
    return false;
  }

  async release(chat) {
    const card = this.#store.cards.get(chat);
    if (!this.#store.isMine(card)) {
      this.#notices.say("Only a chat of yours can be given back.");
      return;
    }
    const { confirm } = await this.#annex.ready();
    const sure = await confirm.ask({
      title: `Give ${callerWord(card)} back?`,
      text: "The chat rings again for everybody. The caller sees nothing of it.",
      verb: "Give back",
      card,
    });
    if (!sure) return;
    const reply = await this.ask({ do: "release", chat }, `Giving ${callerWord(card)} back`);
    if (!reply.ok) this.#notices.warn(`Not given back: ${reply.detail}`);
  }

  /** Ask for the outcome; one that nobody has is claimed first. */
  async askToClose(chat) {
    const card = this.#store.cards.get(chat);
    if (!card || this.#closing.has(chat)) return;
    if (!card.owner && needsClosing(card) && !(await this.answer(chat))) return;
    if (card.owner && !this.#store.isMine(card)) {
      this.#notices.say(`${card.owner.name} has this chat.`);
    } else if (!card.owner && !needsClosing(card)) {
      this.#notices.say("Answer this chat before closing it.");
    } else {
      const { closeDialog } = await this.#annex.ready();
      closeDialog.ask(this.#store.cards.get(chat) ?? card, this.#store.psap, this.#drafts.read(chat));
    }
  }

  /** Issue a command; say so when its answer is slow, else the key would seem not to have worked. */
  async ask(command, doing) {
    const slow = setTimeout(() => this.#notices.say(`${doing}: waiting for the server.`), SLOW);
    const reply = await this.#desk.issue(command);
    clearTimeout(slow);
    return reply;
  }

  async #close({ chat, disposition, text }) {
    const reply = await this.ask({ do: "close", chat, disposition, text }, `Closing #${chat}`);
    if (reply.ok) this.#drafts.write(chat, "");
    else this.#notices.warn(`#${chat} was not closed: ${reply.detail}`);
  }
}

function claimWords(reply, card) {
  const name = callerWord(card);
  if (reply.code === "chat-already-owned") {
    const owner = reply.owner?.name ?? reply.detail?.replace(/ has this chat\.?$/, "") ?? "Somebody";
    return `${owner} was faster: ${name} is answered.`;
  }
  return `${name} was not answered: ${reply.detail}`;
}
