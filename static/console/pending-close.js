import { callerWord } from "./words.js";

const UNDO = 3_000;

/**
 * Closes that still can be undone: the command leaves this browser 3 s after the dialog.
 * Leaving the page within that time does not close. Emits "changed" (detail: chat) and
 * "due" (detail: {chat, disposition, text}).
 */
export class PendingClose extends EventTarget {
  #notices;
  #waiting = new Map();

  constructor(notices) {
    super();
    this.#notices = notices;
  }

  has(chat) {
    return this.#waiting.has(chat);
  }

  start(card, { disposition, text }) {
    const { chat } = card;
    const toast = document.createElement("div");
    toast.className = "toast undo";
    toast.dataset.closing = chat;
    const words = document.createElement("span");
    words.textContent = `Closing #${chat} ${callerWord(card)}`;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button small";
    button.textContent = "Undo (U)";
    button.addEventListener("click", () => this.undo(chat));
    const bar = document.createElement("span");
    bar.className = "undo-time";
    toast.append(words, button, bar);
    this.#notices.place(toast);
    this.#notices.announce(`${words.textContent}. Press U to undo.`);
    const timer = setTimeout(() => {
      this.#drop(chat);
      this.dispatchEvent(new CustomEvent("due", { detail: { chat, disposition, text } }));
    }, UNDO);
    this.#waiting.set(chat, { timer, toast });
    this.#changed(chat);
  }

  /** Undo the latest close, or that of one chat. */
  undo(chat = [...this.#waiting.keys()].at(-1)) {
    if (!this.#waiting.has(chat)) return;
    this.#drop(chat);
    this.#notices.say(`#${chat} stays open.`);
  }

  #drop(chat) {
    const { timer, toast } = this.#waiting.get(chat);
    clearTimeout(timer);
    toast.remove();
    this.#waiting.delete(chat);
    this.#changed(chat);
  }

  #changed(chat) {
    this.dispatchEvent(new CustomEvent("changed", { detail: chat }));
  }
}
