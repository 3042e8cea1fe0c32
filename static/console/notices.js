import { Pace } from "./pace.js";

/** Short notices: shown for a while, and said to a screen reader, politely or at once. */
const SHORT = 5_000;
const LONG = 9_000;
const PACE = 700;
const SAID = 3; // texts in one breath

export class Notices {
  #box;
  #polite;
  #atOnce;
  #waiting = []; // to be said
  #pace = new Pace(PACE, () => this.#sayWaiting());

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

  /** Say without showing: the screen shows it elsewhere. Of a flood the latest are said. */
  announce(text) {
    this.#waiting.push(text);
    this.#pace.ask();
  }

  #sayWaiting() {
    const texts = this.#waiting.splice(0);
    const unsaid = texts.length - SAID;
    if (unsaid > 0) texts.splice(0, unsaid, unsaid === 1 ? "1 more" : `${unsaid} more`);
    this.#polite.replaceChildren(texts.join("\n"));
  }

  announceAtOnce(text) {
    this.#atOnce.replaceChildren(text);
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
