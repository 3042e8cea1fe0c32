/** What sets a chat apart from the usual, in words: for its header, where there is room. */
import { isTest } from "./words.js";

const PRIORITIES = new Map([
  ["esnet.0", "callback within an incident"], ["esnet.1", "emergency"], ["esnet.2", "emergency, raised"],
  ["esnet.3", "emergency, high"], ["esnet.4", "emergency, highest"],
]);
const USUAL = new Set(["", "esnet.1"]);

/**
 * The marks of a chat, gravest first; `wide` ones are a line of their own.
 * @param {object} card @param {(uri: string) => string} peerName
 * @returns {{kind: string, text: string, title: string, wide: boolean}[]}
 */
export function marksOf(card, peerName) {
  const marks = [];
  const mark = (kind, text, title = "", wide = false) => marks.push({ kind, text, title, wide });
  if (card.silent) {
    mark("silent", "Caller asks for silence: write only, nothing that rings, no call", "", true);
  }
  if (card.unprotected) {
    mark("unprotected", "Unprotected: texts go unencrypted", "There is no protected way to this caller");
  }
  if (card.test || isTest(card.service)) {
    mark("test", card.ringingSince || card.owner ? "Test call, but somebody is writing" : "Test call");
  }
  if (card.alert) mark("data", "Data, nobody is writing", "Sent by a machine; there is nobody to answer to");
  if (card.cameFrom) mark("from", `From ${peerName(card.cameFrom)}`, card.cameFrom);
  if (card.goneTo) mark("gone", goneWords(card, peerName), card.goneTo);
  const priority = card.priority ?? "";
  if (!USUAL.has(priority)) {
    mark("priority", `Priority ${PRIORITIES.get(priority) ?? priority}`, `Resource-Priority: ${priority}`);
  }
  return marks;
}

function goneWords({ goneTo, session }, peerName) {
  const name = peerName(goneTo);
  return session === "redirecting" ? `Going to ${name}` : session === "open" ? `Was meant for ${name}` : `Gone to ${name}`;
}

/** Draws them beneath the head of the conversation. */
export class ChatMarks {
  #list;
  #peerName;
  #shown = "";

  constructor(document, { peerName }) {
    this.#list = document.getElementById("chat-marks");
    this.#peerName = peerName;
  }

  /** @param {?object} card */
  show(card) {
    const marks = card ? marksOf(card, this.#peerName) : [];
    const shown = JSON.stringify(marks);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#list.hidden = marks.length === 0;
    this.#list.replaceChildren(...marks.map(({ kind, text, title, wide }) => {
      const item = document.createElement("li");
      item.className = `chat-mark${wide ? " wide" : ""}`;
      item.dataset.mark = kind;
      item.textContent = text;
      if (title) item.title = title;
      return item;
    }));
  }
}
