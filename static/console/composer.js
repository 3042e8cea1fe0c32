import { keepingFocus } from "./focus.js";
import { callerWord, endedWord } from "./words.js";

const LONGEST = 10_000;
const COUNT_FROM = 200;

/**
 * The editor, bound to one chat at a time. What is sent carries the chat that it was typed in.
 * Emits "send" (detail: {chat, text}).
 */
export class Composer extends EventTarget {
  #form;
  #text;
  #send;
  #reason;
  #count;
  #name;
  #drafts;
  #identity;
  #chat = null;
  typedAt = 0; // performance.now() of the last key or paste

  constructor(document, { drafts, identity }) {
    super();
    this.#form = document.getElementById("composer");
    this.#text = document.getElementById("composer-text");
    this.#send = document.getElementById("composer-send");
    this.#reason = document.getElementById("composer-reason");
    this.#count = document.getElementById("composer-count");
    this.#name = document.getElementById("composer-name");
    this.#drafts = drafts;
    this.#identity = identity;
  }

  connect() {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#text.addEventListener("input", () => {
      this.typedAt = performance.now();
      this.#edited();
    });
    this.#text.addEventListener("keydown", (event) => {
      // isComposing: Enter chooses a word of an input method, it does not send.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      this.#submit();
    });
  }

  /** Bind to a chat, or to none. @param {object|null} card */
  bind(card) {
    const chat = card?.chat ?? null;
    this.#form.hidden = !card;
    if (chat === this.#chat) return;
    this.#chat = chat;
    this.#text.value = chat ? this.#drafts.read(chat) : "";
    this.#edited();
  }

  /** Show whether, and if not why, texts can be sent now. @param {object} card of the bound chat */
  update(card, reason) {
    this.#identity.dress(this.#form, card);
    this.#name.textContent = callerWord(card);
    if (this.#reason.textContent !== reason) this.#reason.textContent = reason;
    // Read-only rather than disabled: an unsent draft can still be read and copied.
    this.#text.readOnly = Boolean(reason);
    this.#form.classList.toggle("is-locked", Boolean(reason));
    this.#form.classList.toggle("is-mute", Boolean(card.alert)); // nothing to write at all
    keepingFocus(() => { this.#send.disabled = Boolean(reason); }, () => this.#text);
  }

  /** Put a text back that could not be sent, in front of what has been typed since. */
  giveBack(chat, text) {
    const draft = [text, this.#drafts.read(chat)].filter(Boolean).join("\n");
    this.#drafts.write(chat, draft);
    if (chat !== this.#chat) return;
    this.#text.value = draft;
    this.#edited();
  }

  /** Drop a chat's draft: it was sent by another way. */
  empty(chat) {
    this.#drafts.write(chat, "");
    if (chat !== this.#chat) return;
    this.#text.value = "";
    this.#edited();
  }

  focus() {
    this.#text.focus();
  }

  #edited() {
    const { length } = this.#text.value;
    if (this.#chat) this.#drafts.write(this.#chat, this.#text.value);
    this.#count.textContent = length >= COUNT_FROM ? 
      `${length} of ${LONGEST}${length >= LONGEST ? ": nothing more fits" : ""}` : "";
    this.#count.classList.toggle("grave", length >= LONGEST);
  }

  #submit() {
    const text = this.#text.value;
    if (this.#text.readOnly || !this.#chat || !text.trim()) return;
    const chat = this.#chat;
    this.#text.value = "";
    this.#edited();
    this.dispatchEvent(new CustomEvent("send", { detail: { chat, text } }));
  }
}

/** Why nothing can be written in a chat now; "" when it can. */
export function lockReason(card, store, closing) {
  if (closing) return "Closing. Press Esc, then U to undo.";
  if (card.disposition) return "This chat is closed.";
  if (card.alert) return "Data from a machine: there is nobody to write to.";
  if (card.session.endsWith("ing")) {
    const words = { redirecting: "is redirected", transferring: "is handed over" }[card.session];
    if (words) return `Nothing is sent while the chat ${words} to ${store.otherName(card)}. Your draft stays.`;
    return `The app is told to come here from ${store.otherName(card)}. You can write as soon as it does.`;
  }
  if (["redirected", "transferred"].includes(card.session)) {
    return `The chat is with ${store.otherName(card)} now. ${store.isMine(card) ? "Press Esc, then C to close it." : ""}`.trim();
  }
  if (card.session !== "open") {
    const owner = store.isMine(card) ? "Press Esc, then C to close it." : "";
    return `The chat was ${endedWord(card.endedBy)}. ${owner}`.trim();
  }
  if (!card.owner) return store.may("claim") ? "Answer this chat to write." : "Nobody has answered this chat.";
  if (!store.isMine(card)) return `${card.owner.name} has this chat.`;
  return store.may("send") ? "" : "Your role does not write to callers.";
}
