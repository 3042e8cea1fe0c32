import { option, workable } from "./modal.js";
import { callerWord } from "./words.js";

/** Asks for the outcome and the closing text. Emits "close" (detail: {card, disposition, text}). */
export class CloseDialog extends EventTarget {
  #dialog;
  #identity;
  #name;
  #disposition;
  #text;
  #textField;
  #note;
  #card = null;

  constructor(document, { identity }) {
    super();
    this.#dialog = document.getElementById("close-dialog");
    this.#name = document.getElementById("close-name");
    this.#disposition = document.getElementById("close-disposition");
    this.#text = document.getElementById("close-text");
    this.#textField = document.getElementById("close-text-field");
    this.#note = document.getElementById("close-note");
    this.#identity = identity;
  }

  connect() {
    this.#dialog.addEventListener("close", () => {
      if (this.#dialog.returnValue !== "close") return;
      const text = this.#textField.hidden ? "" : this.#text.value.trim();
      const detail = { card: this.#card, disposition: this.#disposition.value, text };
      this.dispatchEvent(new CustomEvent("close", { detail }));
    });
    workable(this.#dialog);
  }

  /** @param {object} card @param {object} psap @param {string} draft unsent text of the chat */
  ask(card, psap, draft) {
    this.#card = card;
    this.#identity.dress(this.#dialog, card);
    this.#name.textContent = callerWord(card);
    this.#disposition.replaceChildren(
      option("", "Choose an outcome"),
      ...psap.dispositions.map(({ value, label }) => option(value, label)),
    );
    const open = card.session === "open" && !card.alert;
    this.#textField.hidden = !open;
    this.#text.value = psap.closingText;
    const notes = [];
    if (card.alert) notes.push("Nothing is sent: there is nobody to answer to.");
    else if (!open) notes.push("The chat has already ended: nothing more is sent to the caller.");
    if (draft.trim()) notes.push(`Your unsent draft will not be sent: “${draft.trim().slice(0, 80)}”`);
    this.#note.textContent = notes.join(" ");
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    this.#disposition.focus();
  }
}
