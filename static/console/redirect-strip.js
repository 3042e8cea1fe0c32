import { keepingFocus } from "./focus.js";
import { redirectOf, redirectSteps } from "./redirect-steps.js";
import { stepItems } from "./step-list.js";

/**
 * Above the editor of a chat that is passed on: its steps, the way back, what came of it.
 * Emits "take-back" (detail: chat).
 */
export class RedirectStrip extends EventTarget {
  #box;
  #title;
  #steps;
  #back;
  #done;
  #store;
  #chat = null;
  #shown = "";
  #dismissed = new Set(); // chat and time of failures that were read
  #key = "";

  constructor(document, { store }) {
    super();
    this.#box = document.getElementById("redirect-strip");
    this.#title = document.getElementById("redirect-strip-title");
    this.#steps = document.getElementById("redirect-steps");
    this.#back = document.getElementById("take-back");
    this.#done = document.getElementById("redirect-read");
    this.#store = store;
  }

  connect() {
    this.#back.addEventListener("click", () => {
      this.dispatchEvent(new CustomEvent("take-back", { detail: this.#chat }));
    });
    this.#done.addEventListener("click", () => {
      this.#dismissed.add(this.#key);
      keepingFocus(() => { this.#box.hidden = true; }, () => document.getElementById("composer-text"));
    });
  }

  /** @param {?object} card @param {?object} record */
  show(card, record) {
    const redirect = card && record?.loaded ? redirectOf(card, record.events, record.messages.values()) : null;
    this.#chat = card?.chat ?? null;
    this.#key = redirect ? `${this.#chat} ${redirect.at}` : "";
    const name = redirect ? this.#store.peerName(redirect.target) : "";
    const mine = this.#store.isMine(card);
    const stale = redirect?.state === "failed" && (card.session !== "open" || !mine || this.#dismissed.has(this.#key));
    const wanted = redirect && !stale && !card.disposition;
    const steps = wanted && redirect.state !== "done" ? redirectSteps(redirect, name) : [];
    const backable = Boolean(wanted) && card.session === "redirecting" && mine && this.#store.may("take-back");
    const shown = JSON.stringify([this.#key, wanted && redirect.state, steps, name, backable]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    keepingFocus(() => {
      this.#box.hidden = !wanted;
      this.#back.hidden = !backable;
      this.#done.hidden = redirect?.state !== "failed";
      if (wanted) this.#draw(redirect, steps, name);
    }, () => document.getElementById("composer-text"));
  }

  #draw(redirect, steps, name) {
    this.#box.dataset.state = redirect.state;
    this.#title.textContent = {
      "under-way": `Redirecting to ${name}`,
      done: `This chat is with ${name} now. What still reaches us is passed on.`,
      failed: `Redirect to ${name} ended: ${redirect.cause || "no reason given"}. You have the chat again.`,
    }[redirect.state];
    this.#steps.hidden = steps.length === 0;
    this.#steps.replaceChildren(...stepItems(steps));
  }
}
