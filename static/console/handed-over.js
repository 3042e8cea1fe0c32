import { clockTime, utcTime } from "./time.js";

/** What a chat that was taken over brings beside its messages: who had it before, and notes. */
export class HandedOver {
  #box;
  #psaps;
  #notes;
  #peerName;
  #shown = "";

  /** @param {{peerName: (uri: string, met: object[]) => string}} words */
  constructor(document, { peerName }) {
    this.#box = document.getElementById("handed-over");
    this.#psaps = this.#box.querySelector("p");
    this.#notes = this.#box.querySelector("ol");
    this.#peerName = peerName;
  }

  /** @param {object[]} psaps {uri, name, from}, oldest first @param {object[]} notes */
  show(psaps, notes) {
    const shown = JSON.stringify([psaps, notes]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#box.hidden = psaps.length === 0 && notes.length === 0;
    this.#psaps.textContent = psaps.map(({ name, uri }) => name || uri).join(" → ");
    this.#notes.replaceChildren(...notes.map((note) => this.#itemOf(note, psaps)));
  }

  #itemOf({ at, text, psap }, psaps) {
    const item = document.createElement("li");
    const head = document.createElement("span");
    head.className = "note-head";
    head.textContent = `${clockTime(at).slice(0, 5)} ${psap ? this.#peerName(psap, psaps) : "Here"}`;
    head.title = utcTime(at);
    const words = document.createElement("bdi");
    words.textContent = text;
    item.append(head, words);
    return item;
  }
}
