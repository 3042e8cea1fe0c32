import { keepingFocus } from "./focus.js";
import { workable } from "./modal.js";
import { callerWord } from "./words.js";

/**
 * Writing anew to a caller whose chat has ended: the button beside the reason why nothing can be
 * written, and the dialog that takes the text. Emits "call-back" (detail: {card, text}).
 */
export class CallBack extends EventTarget {
  #button;
  #dialog;
  #text;
  #identity;
  #drafts;
  #card = null;
  #asked = null; // the chat that the dialog is about, whatever is shown meanwhile

  constructor(document, { identity, drafts }) {
    super();
    this.#button = document.getElementById("write-again");
    this.#dialog = document.getElementById("call-back-dialog");
    this.#text = document.getElementById("call-back-text");
    this.#identity = identity;
    this.#drafts = drafts;
  }

  connect() {
    workable(this.#dialog);
    this.#button.addEventListener("click", () => this.#ask());
    this.#dialog.addEventListener("close", () => {
      const text = this.#text.value.trim();
      if (this.#dialog.returnValue !== "call-back" || !text) return;
      this.dispatchEvent(new CustomEvent("call-back", { detail: { card: this.#asked, text } }));
    });
  }

  /** @param {?object} card @param {boolean} may write anew in it */
  show(card, may) {
    this.#card = card;
    keepingFocus(() => { this.#button.hidden = !may; }, () => document.getElementById("composer-text"));
  }

  #ask() {
    this.#asked = this.#card;
    this.#identity.dress(this.#dialog, this.#asked);
    this.#dialog.querySelector("bdi").textContent = callerWord(this.#asked);
    this.#text.value = this.#drafts.read(this.#asked.chat);
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    this.#text.focus();
  }
}
