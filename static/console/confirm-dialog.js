import { workable } from "./modal.js";

/** Asks one question whose answer is a verb. */
export class ConfirmDialog {
  #dialog;
  #identity;

  constructor(document, { identity }) {
    this.#dialog = document.getElementById("confirm-dialog");
    this.#identity = identity;
  }

  connect() {
    workable(this.#dialog);
  }

  /** Resolve with whether the verb was chosen. @returns {Promise<boolean>} */
  ask({ title, text, verb, card = null }) {
    this.#identity.dress(this.#dialog, card);
    this.#dialog.querySelector("#confirm-title").textContent = title;
    this.#dialog.querySelector("#confirm-text").textContent = text;
    this.#dialog.querySelector("#confirm-yes").textContent = verb;
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    this.#dialog.querySelector("#confirm-yes").focus();
    return new Promise((resolve) => {
      this.#dialog.addEventListener("close", () => resolve(this.#dialog.returnValue === "yes"), { once: true });
    });
  }
}
