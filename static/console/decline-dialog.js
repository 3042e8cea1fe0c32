import { workable } from "./modal.js";
import { ReadyWords } from "./ready-words.js";

const REASONS = ["No call-taker is free", "Not our area", "Not our service", "We do not speak the caller's language"];

/** Asks why a chat that is offered is not taken. Emits "decline" (detail: {offer, reason}). */
export class DeclineDialog extends EventTarget {
  #dialog;
  #title;
  #offered;
  #reason;
  #ready;
  #offer = null;

  constructor(document) {
    super();
    this.#dialog = document.getElementById("decline-dialog");
    this.#title = this.#dialog.querySelector("bdi");
    this.#offered = document.getElementById("decline-offered");
    this.#reason = document.getElementById("decline-reason");
    this.#ready = new ReadyWords(document.getElementById("decline-reasons"), this.#reason, REASONS);
  }

  connect() {
    this.#ready.connect();
    workable(this.#dialog);
    this.#dialog.addEventListener("close", () => {
      const offer = this.#offer;
      this.#offer = null;
      if (this.#dialog.returnValue !== "decline" || !offer) return;
      this.dispatchEvent(new CustomEvent("decline", { detail: { offer, reason: this.#reason.value.trim() } }));
    });
  }

  ask(offer) {
    this.#offer = offer;
    this.#title.textContent = offer.peer;
    this.#offered.textContent = offer.reason;
    this.#reason.value = "";
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    this.#reason.focus();
  }

  /** Leave it: the offer has ended meanwhile. */
  drop(id) {
    if (this.#offer?.id === id) this.#dialog.close("");
  }
}
