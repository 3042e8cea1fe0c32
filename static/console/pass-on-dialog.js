import { option, workable } from "./modal.js";
import { ReadyWords } from "./ready-words.js";
import { callerWord } from "./words.js";

const REASONS = ["Outside our area", "Your service is in charge", "Caller needs your language", "We have no call-taker free"];

/** What differs between handing a chat over with its history and sending its app on. */
const WAYS = {
  transfer: {
    verb: "Ask them", follows: "a transfer",
    help: "They are asked first and get the whole conversation. The chat stays yours until they have it.",
  },
  redirect: {
    verb: "Redirect", follows: "a redirect",
    help: "The app is sent there at once and begins anew. They see nothing of this conversation.",
  },
};

/**
 * Asks whom to pass a chat on to, in which of two ways, why, and what to tell the caller.
 * Emits "pass-on" (detail: {way, card, peer, text, reason, atOnce, override}).
 */
export class PassOnDialog extends EventTarget {
  #dialog;
  #identity;
  #parts;
  #ways;
  #submit;
  #ready;
  #card = null;
  #peers = [];
  #texts = {};
  #typed = { transfer: false, redirect: false };

  constructor(document, { identity }) {
    super();
    this.#dialog = document.getElementById("pass-on-dialog");
    this.#parts = Object.fromEntries(
      ["ways", "way-help", "peer", "uri", "reason", "reason-field", "reasons", "text", "at-once", "at-once-field",
        "warning", "warning-words", "override", "override-words", "impossible", "note", "verb"].map(
        (name) => [name, document.getElementById(`pass-on-${name}`)]),
    );
    this.#ways = [...this.#dialog.querySelectorAll("[name=way]")];
    this.#submit = this.#dialog.querySelector("[type=submit]");
    this.#ready = new ReadyWords(this.#parts.reasons, this.#parts.reason, REASONS);
    this.#identity = identity;
  }

  connect() {
    const { peer, text } = this.#parts;
    peer.addEventListener("change", () => this.#showPeer());
    text.addEventListener("input", () => { this.#typed[this.#way] = true; });
    for (const way of this.#ways) way.addEventListener("change", () => this.#showWay());
    this.#ready.connect();
    workable(this.#dialog);
    this.#dialog.addEventListener("close", () => {
      if (this.#dialog.returnValue === "pass-on") this.#emit();
    });
  }

  /**
   * @param {object} card @param {object[]} peers
   * @param {{redirect: string, transfer: string}} texts proposed for the caller
   * @param {string} draft unsent text of the chat @param {boolean} mayTransfer
   */
  ask(card, peers, texts, draft, mayTransfer) {
    const parts = this.#parts;
    this.#card = card;
    this.#peers = peers;
    this.#texts = { ...texts };
    this.#typed = { transfer: false, redirect: false };
    this.#identity.dress(this.#dialog, card);
    this.#dialog.querySelector("bdi").textContent = callerWord(card);
    const transferable = mayTransfer && peers.some(({ transfers }) => transfers);
    parts.ways.hidden = !transferable;
    for (const way of this.#ways) way.checked = way.value === (transferable ? "transfer" : "redirect");
    parts.reason.value = "";
    parts["at-once"].checked = true;
    parts.note.textContent = draft.trim()
      ? `Your unsent draft stays here and is not sent: “${draft.trim().slice(0, 80)}”` : "";
    parts.peer.replaceChildren();
    this.#showWay();
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    parts.peer.focus();
  }

  get #way() {
    return this.#ways.find(({ checked }) => checked).value;
  }

  /** The fields of the chosen way; what was typed for the other one is kept for it. */
  #showWay() {
    const parts = this.#parts;
    const way = this.#way;
    const { verb, follows, help } = WAYS[way];
    const transfers = way === "transfer";
    parts["way-help"].textContent = help;
    for (const field of ["reason-field", "at-once-field"]) parts[field].hidden = !transfers;
    if (this.#shownWay && this.#typed[this.#shownWay]) this.#texts[this.#shownWay] = parts.text.value;
    parts.text.value = this.#texts[way] ?? "";
    this.#shownWay = way;
    this.#showPeers(this.#peers.filter((peer) => !transfers || peer.transfers));
    const ends = Boolean(this.#card.clientEnds?.[way]);
    parts.warning.hidden = !ends;
    parts["warning-words"].textContent = `This caller's app is known to end its chat instead of following ${follows}. The caller may be lost.`;
    parts.override.checked = false;
    parts.override.required = ends;
    const impossible = ends && this.#card.clientEnds.override === false;
    parts.impossible.hidden = !impossible;
    parts.override.closest("label").hidden = impossible;
    parts["override-words"].textContent = `${transfers ? "Transfer" : "Redirect"} nevertheless; this is recorded`;
    this.#submit.disabled = impossible;
    parts.verb.textContent = verb;
  }

  #shownWay = "";

  #showPeers(peers) {
    const { peer } = this.#parts;
    const chosen = peer.value;
    peer.replaceChildren(option("", "Choose a control room"), ...peers.map(({ id, name }) => option(String(id), name)));
    if (peers.length === 1) peer.value = String(peers[0].id);
    else if (peers.some(({ id }) => String(id) === chosen)) peer.value = chosen;
    this.#showPeer();
  }

  #showPeer() {
    this.#parts.uri.textContent = this.#peer?.uri ?? "";
  }

  get #peer() {
    return this.#peers.find(({ id }) => String(id) === this.#parts.peer.value);
  }

  #emit() {
    const { text, reason, override, warning } = this.#parts;
    const detail = {
      way: this.#way, card: this.#card, peer: this.#peer, text: text.value.trim(), reason: reason.value.trim(),
      atOnce: this.#parts["at-once"].checked, override: !warning.hidden && override.checked,
    };
    this.dispatchEvent(new CustomEvent("pass-on", { detail }));
  }
}
