import { callerWord } from "./words.js";

/** After that long without a key, a call-taker with an empty field is not typing. */
const TYPED_LATELY = 5_000;

/**
 * Answers what other control rooms offer, says how offers fare, and opens a chat that this
 * call-taker has accepted once it is here.
 */
export class OfferDesk {
  #console;
  #dialog;
  #heard = new Set(); // offers that were said to ring
  #opened = new Set(); // offers whose chat was shown
  #answering = new Set();

  /** @param console the Console @param dialog the DeclineDialog */
  constructor(console, dialog) {
    this.#console = console;
    this.#dialog = dialog;
  }

  connect() {
    this.#dialog.addEventListener("decline", ({ detail }) => this.#decline(detail));
    this.#console.store.addEventListener("offers", ({ detail }) => this.#hear(detail));
    this.#hear([]);
  }

  acceptOldest() {
    this.#answerOldest("accept-offer", (offer) => this.accept(offer.id));
  }

  declineOldest() {
    this.#answerOldest("decline-offer", (offer) => this.askToDecline(offer.id));
  }

  async accept(id) {
    const offer = this.#offered(id);
    if (!offer || this.#answering.has(id)) return;
    const { calls, notices } = this.#console;
    this.#answering.add(id);
    const reply = await calls.ask({ do: "accept-offer", offer: id }, `Accepting the chat of ${offer.peer}`);
    this.#answering.delete(id);
    if (reply.ok) notices.announce(`Accepted. The chat of ${offer.peer} opens here when it comes.`);
    else notices.warn(`The chat of ${offer.peer} was not accepted: ${reply.detail}`);
  }

  askToDecline(id) {
    const offer = this.#offered(id);
    if (offer) this.#dialog.ask(offer);
  }

  async #decline({ offer, reason }) {
    const { calls, notices } = this.#console;
    const reply = await calls.ask({ do: "decline-offer", offer: offer.id, reason }, `Declining the chat of ${offer.peer}`);
    if (!reply.ok) notices.warn(`The chat of ${offer.peer} was not declined: ${reply.detail}`);
  }

  #answerOldest(command, act) {
    const { store, notices } = this.#console;
    if (!store.may(command)) return;
    const [offer] = store.offered;
    if (offer) act(offer);
    else notices.say("No control room offers a chat.");
  }

  #offered(id) {
    return this.#console.store.offered.find((offer) => offer.id === id);
  }

  #hear(ended) {
    const { store, notices } = this.#console;
    for (const offer of store.offered) {
      if (this.#heard.has(offer.id)) continue;
      this.#heard.add(offer.id);
      notices.announceAtOnce(`${offer.peer} offers a chat${offer.reason ? `: ${offer.reason}` : ""}. O accepts, Shift O declines.`);
    }
    for (const offer of ended) {
      this.#dialog.drop(offer.id);
      const words = endedWords(offer, store.me.username);
      if (words) notices.say(words);
    }
    for (const offer of [...store.offers, ...ended]) this.#open(offer);
  }

  /** Never beneath somebody's hands: who types goes on with the chat that they type in. */
  #open({ id, chat, by, state, peer }) {
    const { store, open, notices, composer } = this.#console;
    const mine = by?.username === store.me.username && store.isMine(store.cards.get(chat));
    if (!mine || !["executing", "done"].includes(state) || this.#opened.has(id)) return;
    this.#opened.add(id);
    if (open.chat === chat) return;
    if (isTyping(composer)) {
      const place = store.idsOf("mine").indexOf(chat) + 1;
      const key = place > 0 && place < 10 ? ` Alt+${place} shows it.` : "";
      notices.say(`#${chat} ${callerWord(store.cards.get(chat))} comes to you from ${peer}.${key}`);
      return;
    }
    open.choose(chat, { write: true });
    notices.announce(`#${chat} ${callerWord(store.cards.get(chat))} from ${peer} is open.`);
  }
}

function isTyping({ typedAt }) {
  if (document.querySelector("dialog[open]")) return true;
  const field = document.activeElement;
  if (!field?.matches("textarea, input, select")) return false;
  return Boolean(field.value) || performance.now() - typedAt < TYPED_LATELY;
}

/** What became of an offer, where the queue does not show it by itself. */
function endedWords({ peer, state, by, cause }, me) {
  if (state === "declined") {
    return `The chat of ${peer} is declined${by && by.username !== me ? ` by ${by.name}` : ""}${cause ? `: ${cause.replace(/\.$/, "")}` : ""}.`;
  }
  if (["expired", "cancelled"].includes(state)) return `The offer of ${peer} has ended${cause ? `: ${cause.replace(/\.$/, "")}` : " by itself"}.`;
  if (state === "failed") return `The chat of ${peer} did not come: ${cause || "the app has not followed in time"}.`;
  return "";
}
