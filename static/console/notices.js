/** Short notices: shown for a while, and said to a screen reader, politely or at once. */
const SHORT = 5_000;
const LONG = 9_000;
const PACE = 700;

export class Notices {
  #box;
  #polite;
  #atOnce;
  #next = null; // what is being said, or waits to be

  constructor(document) {
    this.#box = document.getElementById("toasts");
    this.#polite = document.getElementById("announce-politely");
    this.#atOnce = document.getElementById("announce-at-once");
  }

  /** Show and say something that went as wished. */
  say(text) {
    this.announce(text);
    this.#show(text, "info", SHORT);
  }

  /** Show and say something that went wrong. */
  warn(text) {
    this.announceAtOnce(text);
    this.#show(text, "warning", LONG);
  }

  /** Say without showing: the screen shows it elsewhere. Of a flood the latest is said. */
  announce(text) {
    const asked = this.#next !== null;
    this.#next = text;
    if (asked) return;
    queueMicrotask(() => this.#sayNext());
  }

  #sayNext() {
    if (this.#polite.textContent === this.#next) this.#polite.textContent = "";
    this.#polite.textContent = this.#next;
    const said = this.#next;
    setTimeout(() => {
      if (this.#next !== said) this.#sayNext();
      else this.#next = null;
    }, PACE);
  }

  announceAtOnce(text) {
    this.#atOnce.textContent = "";
    this.#atOnce.textContent = text;
  }

  /** Show an element of somebody else's until it is removed. */
  place(element) {
    this.#box.append(element);
  }

  #show(text, kind, time) {
    const toast = document.createElement("p");
    toast.className = `toast ${kind}`;
    toast.textContent = text;
    this.#box.append(toast);
    setTimeout(() => toast.remove(), time);
  }
}
