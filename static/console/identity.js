/**
 * Gives each chat a colour of its own, so that nobody writes into the wrong one.
 * Two chats of one call-taker never share a colour as long as there are enough.
 */
const TONES = 10;

export class Identity {
  #store;
  #tones = new Map();

  constructor(store) {
    this.#store = store;
  }

  /** Tone of a chat, "0" to "9"; fixed once given. */
  toneOf(chat) {
    if (!this.#tones.has(chat)) {
      const taken = new Set(this.#store.idsOf("mine").map((id) => this.#tones.get(id)));
      const wished = Number(chat) % TONES || 0;
      let tone = wished;
      for (let step = 0; step < TONES && taken.has(String(tone)); step += 1) {
        tone = (wished + step) % TONES;
      }
      this.#tones.set(chat, String(tone));
    }
    return this.#tones.get(chat);
  }

  /** Dress a pane as one chat's: tone on the pane, number on each of its tags. */
  dress(pane, card) {
    pane.dataset.tone = card ? this.toneOf(card.chat) : "none";
    for (const tag of pane.querySelectorAll(".chat-tag")) {
      tag.textContent = card ? `#${card.chat}` : "";
    }
  }
}
