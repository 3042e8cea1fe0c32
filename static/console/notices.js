/** Short notices: shown for a while, and said to a screen reader, politely or at once. */
const SHORT = 5_000;
const LONG = 9_000;

export class Notices {
  #box;
  #polite;
  #atOnce;

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

  /** Say without showing: the screen shows it elsewhere. */
  announce(text) {
    this.#polite.textContent = "";
    this.#polite.textContent = text;
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
