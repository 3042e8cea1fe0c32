/**
 * Gives each chat a colour of its own, so that nobody writes into the wrong one.
 * Two chats of one call-taker never share a colour as long as there are enough.
 */
const TONES = 10;

export class Identity {
  #store;
  #tones = new Map();
  #settled = new Set(); // my chats, whose colours differ

  constructor(store) {
    this.#store = store;
  }

  /** Tone of a chat, "0" to "9"; may change once, when it becomes mine beside one of its colour. */
  toneOf(chat) {
    const mine = this.#store.isMine(this.#store.cards.get(chat));
    if (!mine) this.#settled.delete(chat);
    if (mine ? this.#settled.has(chat) : this.#tones.has(chat)) return this.#tones.get(chat);
    const tone = this.#freeTone(this.#tones.get(chat) ?? Number(chat) % TONES);
    this.#tones.set(chat, tone);
    if (mine) this.#settled.add(chat);
    return tone;
  }

  #freeTone(wished) {
    const taken = new Set();
    for (const chat of this.#settled) {
      if (this.#store.isMine(this.#store.cards.get(chat))) taken.add(this.#tones.get(chat));
    }
    for (let step = 0; step < TONES; step += 1) {
      const tone = (wished + step) % TONES;
      if (!taken.has(tone)) return tone;
    }
    return wished;
  }

  /** Dress a pane as one chat's: tone on the pane, number on each of its tags. */
  dress(pane, card) {
    const tone = card ? String(this.toneOf(card.chat)) : "none";
    if (pane.dataset.tone !== tone) pane.dataset.tone = tone;
    const name = card ? `#${card.chat}` : "";
    for (const tag of pane.querySelectorAll(".chat-tag")) {
      if (tag.textContent !== name) tag.textContent = name;
    }
  }
}
