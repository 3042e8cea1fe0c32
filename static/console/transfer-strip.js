import { keepingFocus } from "./focus.js";
import { stepItems } from "./step-list.js";
import { countdown, transferWords } from "./transfer-words.js";

/**
 * Above the editor of a chat that is transferred, or handed over to us: its steps, the time that
 * runs, what can be done, what came of it. The time is written, not announced.
 * Emits "hand-over", "keep" (detail: chat).
 */
export class TransferStrip extends EventTarget {
  #box;
  #parts;
  #store;
  #clock;
  #card = null;
  #words = null;
  #shown = "";
  #dismissed = new Set(); // transfers whose end was read

  constructor(document, { store, clock }) {
    super();
    this.#box = document.getElementById("transfer-strip");
    this.#parts = Object.fromEntries(
      ["mark", "title", "advice", "steps", "until", "actions", "hand-over", "keep", "read"].map(
        (name) => [name, document.getElementById(`transfer-${name}`)]),
    );
    this.#store = store;
    this.#clock = clock;
  }

  connect() {
    const press = (name, act) => this.#parts[name].addEventListener("click", act);
    const emit = (name) => this.dispatchEvent(new CustomEvent(name, { detail: this.#card.chat }));
    press("hand-over", () => emit("hand-over"));
    press("keep", () => emit("keep"));
    press("read", () => {
      this.#dismissed.add(this.#card.transfer.id);
      keepingFocus(() => this.show(this.#card), () => document.getElementById("composer-text"));
    });
    this.#clock.addEventListener("tick", () => this.#tick());
  }

  /** @param {?object} card */
  show(card) {
    this.#card = card;
    const mine = this.#store.isMine(card);
    const found = card && !card.disposition ? transferWords(card.transfer, { mine, session: card.session }) : null;
    const read = found?.over && (!mine || this.#dismissed.has(card.transfer.id));
    this.#words = read ? null : found;
    const may = (command) => mine && this.#store.may(command);
    const handOver = Boolean(this.#words?.handOver) && may("hand-over");
    const keep = Boolean(this.#words?.keep) && may("take-back");
    const shown = JSON.stringify([card?.chat, this.#words, handOver, keep]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const parts = this.#parts;
    keepingFocus(() => {
      this.#box.hidden = !this.#words;
      parts["hand-over"].hidden = !handOver;
      parts.keep.hidden = !keep;
      parts.read.hidden = !this.#words?.over;
      parts.actions.hidden = !handOver && !keep && !this.#words?.over;
      if (this.#words) this.#draw(this.#words);
    }, () => document.getElementById("composer-text"));
    this.#tick();
  }

  #draw({ tone, title, advice, steps }) {
    const parts = this.#parts;
    this.#box.dataset.state = tone;
    parts.mark.toggleAttribute("hidden", !["uncertain", "failed"].includes(tone));
    parts.title.textContent = title;
    parts.advice.textContent = advice;
    parts.advice.hidden = !advice;
    parts.steps.hidden = steps.length === 0;
    parts.steps.replaceChildren(...stepItems(steps));
  }

  #tick() {
    const until = this.#words?.until;
    const words = until?.at ? countdown(until.words, -this.#clock.since(until.at)) : "";
    const element = this.#parts.until;
    if (element.textContent !== words) element.textContent = words;
    element.hidden = !words;
  }
}
