import { factRow } from "./facts.js";
import { clockTime, utcTime } from "./time.js";

/** What a chat that was taken over brings beside its messages: who had it before, and notes. */
export class HandedOver {
  #box;
  #list;
  #peerName;
  #shown = "";

  /** @param {{peerName: (uri: string, met: object[]) => string}} words */
  constructor(document, { peerName }) {
    this.#box = document.getElementById("handed-over");
    this.#list = this.#box.querySelector("dl");
    this.#peerName = peerName;
  }

  /** @param {object[]} psaps {uri, name, from}, oldest first @param {object[]} notes */
  show(psaps, notes) {
    const shown = JSON.stringify([psaps, notes]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#box.hidden = psaps.length === 0 && notes.length === 0;
    const rows = notes.map(({ at, text, psap }) => {
      const row = factRow(`${clockTime(at).slice(0, 5)} ${psap ? this.#peerName(psap, psaps) : "Here"}`, text);
      row.title = utcTime(at);
      return row;
    });
    if (psaps.length) rows.unshift(factRow("Had it before", psaps.map((psap) => nameOf(psap)).join(" → ")));
    this.#list.replaceChildren(...rows);
  }
}

function nameOf({ name, uri }) {
  return name || uri;
}
