import { option, workable } from "./modal.js";
import { callerWord } from "./words.js";

/**
 * Asks whom to pass a chat on to and what to tell the caller.
 * Emits "redirect" (detail: {card, peer, text, override}).
 */
export class RedirectDialog extends EventTarget {
  #dialog;
  #identity;
  #peer;
  #text;
  #uri;
  #warning;
  #override;
  #impossible;
  #submit;
  #note;
  #card = null;
  #peers = [];

  constructor(document, { identity }) {
    super();
    const byId = (id) => document.getElementById(id);
    this.#dialog = byId("redirect-dialog");
    this.#peer = byId("redirect-peer");
    this.#text = byId("redirect-text");
    this.#uri = byId("redirect-uri");
    this.#warning = byId("redirect-warning");
    this.#override = byId("redirect-override");
    this.#impossible = byId("redirect-impossible");
    this.#submit = this.#dialog.querySelector("[type=submit]");
    this.#note = byId("redirect-note");
    this.#identity = identity;
  }

  connect() {
    this.#peer.addEventListener("change", () => this.#showPeer());
    workable(this.#dialog);
    this.#dialog.addEventListener("close", () => {
      if (this.#dialog.returnValue !== "redirect") return;
      const peer = this.#peers.find(({ id }) => String(id) === this.#peer.value);
      const override = !this.#warning.hidden && this.#override.checked;
      const detail = { card: this.#card, peer, text: this.#text.value.trim(), override };
      this.dispatchEvent(new CustomEvent("redirect", { detail }));
    });
  }

  /**
   * @param {object} card @param {object[]} peers @param {string} text proposed
   * @param {string} draft unsent text of the chat
   */
  ask(card, peers, text, draft) {
    this.#card = card;
    this.#peers = peers;
    this.#identity.dress(this.#dialog, card);
    this.#dialog.querySelector("bdi").textContent = callerWord(card);
    const first = option("", "Choose a control room");
    this.#peer.replaceChildren(first, ...peers.map(({ id, name }) => option(String(id), name)));
    if (peers.length === 1) this.#peer.value = String(peers[0].id);
    this.#text.value = text;
    const ends = Boolean(card.clientEnds?.redirect);
    this.#warning.hidden = !ends;
    this.#override.checked = false;
    this.#override.required = ends;
    const impossible = ends && card.clientEnds.override === false;
    this.#impossible.hidden = !impossible;
    this.#override.closest("label").hidden = impossible;
    this.#submit.disabled = impossible;
    this.#note.textContent = draft.trim()
      ? `Your unsent draft stays here and is not sent: “${draft.trim().slice(0, 80)}”` : "";
    this.#showPeer();
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    this.#peer.focus();
  }

  #showPeer() {
    const peer = this.#peers.find(({ id }) => String(id) === this.#peer.value);
    this.#uri.textContent = peer?.uri ?? "";
  }
}
