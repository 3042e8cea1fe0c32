import { isUnderWay, transferWords } from "./transfer-words.js";
import { callerWord } from "./words.js";

const LAST_SECONDS = 10;

/**
 * What a call-taker does to a transfer, and what is said when one of theirs moves on, whichever
 * chat is on screen. Moves are read from the cards, so that a lost connection hides none of them.
 */
export class TransferDesk {
  #calls;
  #store;
  #clock;
  #notices;
  #alarm;
  #open;
  #known = new Map(); // chat to the transfer's id and state
  #warned = new Set(); // transfers whose time was said to run out

  /** @param parts those of the Console */
  constructor({ calls, store, clock, notices, alarm, open }) {
    this.#calls = calls;
    this.#store = store;
    this.#clock = clock;
    this.#notices = notices;
    this.#alarm = alarm;
    this.#open = open;
  }

  connect() {
    this.#store.addEventListener("card", ({ detail }) => this.#look(detail));
    this.#store.addEventListener("members", () => this.#lookAtAll());
    this.#clock.addEventListener("tick", () => this.#warnInTime());
    this.#lookAtAll();
  }

  /** Ask a control room to take a chat over. @param {object} wish of the PassOnDialog */
  async transfer({ card: { chat }, peer, text, reason, override, atOnce }) {
    const command = { do: "transfer", chat, peer: String(peer.id), reason, text, override, atOnce };
    const reply = await this.#calls.ask(command, `Asking ${peer.name} to take #${chat}`);
    if (reply.ok) this.#notices.announce(`#${chat}: ${peer.name} is asked to take the chat over.`);
    else this.#notices.warn(`#${chat}: ${peer.name} was not asked: ${reply.detail}`);
  }

  async handOver(chat) {
    const reply = await this.#calls.ask({ do: "hand-over", chat }, `Handing #${chat} over`);
    if (!reply.ok) this.#notices.warn(`#${chat} was not handed over: ${reply.detail}`);
  }

  /** Call a transfer off as long as that is possible. */
  async keep(chat) {
    const reply = await this.#calls.ask({ do: "take-back", chat }, `Keeping #${chat}`);
    if (!reply.ok) this.#notices.warn(`#${chat} cannot be kept: ${reply.detail}`);
  }

  #lookAtAll() {
    for (const chat of this.#store.idsOf("mine")) this.#look(chat);
  }

  #look(chat) {
    const card = this.#store.cards.get(chat);
    const { transfer } = card ?? {};
    if (!transfer) return;
    const now = `${transfer.id} ${transfer.state}`;
    const before = this.#known.get(chat);
    this.#known.set(chat, now);
    // What stood there when the page opened can be read in its place.
    if (before === now || (before === undefined && !isUnderWay(transfer))) return;
    if (this.#store.isMine(card)) this.#say(card, transfer);
  }

  #say(card, transfer) {
    const name = `#${card.chat} ${callerWord(card)}`;
    if (transfer.state === "cancelled") this.#notices.announce(`${name}: the transfer is called off.`);
    const words = transferWords(transfer, { mine: true, session: card.session });
    if (!words) return;
    const text = `${name}: ${[words.title, words.tone === "uncertain" && words.advice].filter(Boolean).join(". ")}`;
    // The strip shows it to who looks at that chat; a notice would only cover it.
    const seen = this.#open.chat === card.chat && document.visibilityState === "visible";
    if (words.tone === "failed" || words.tone === "uncertain") {
      if (seen) this.#notices.announceAtOnce(text);
      else this.#notices.warn(text);
      this.#alarm.warn();
      return;
    }
    const more = { done: " Close it here.", wait: `: ${this.#secondsLeft(transfer)} seconds to hand over.` }[words.tone];
    if (more && !seen) this.#notices.say(text + more);
    else this.#notices.announce(text + (more ?? ""));
  }

  /** Once, before an accepted transfer runs out: nobody looks at a countdown all the time. */
  #warnInTime() {
    for (const chat of this.#store.idsOf("mine")) {
      const { transfer } = this.#store.cards.get(chat);
      if (transfer?.state !== "accepted" || transfer.side !== "out" || transfer.atOnce) continue;
      const left = this.#secondsLeft(transfer);
      if (left > LAST_SECONDS || this.#warned.has(transfer.id)) continue;
      this.#warned.add(transfer.id);
      this.#notices.warn(`#${chat}: ${Math.max(left, 0)} seconds left to hand over to ${transfer.peer}.`);
    }
  }

  #secondsLeft({ expiresAt, dueAt }) {
    return Math.ceil(-this.#clock.since(expiresAt ?? dueAt) / 1000);
  }
}
