import { option, workable } from "./modal.js";
import { callerWord } from "./words.js";

const REASONS = [
  "Floods us with messages", "Threats or abuse", "False alarm again and again", "Sent by a machine that is out of order",
];

/**
 * Asks why the source of a chat is reported to the network (HTTP-2).
 * Emits "report" (detail: {card, reason}).
 */
export class ReportDialog extends EventTarget {
  #dialog;
  #identity;
  #source;
  #kind;
  #words;
  #card = null;

  constructor(document, { identity }) {
    super();
    this.#dialog = document.getElementById("report-dialog");
    this.#source = document.getElementById("report-source");
    this.#kind = document.getElementById("report-kind");
    this.#words = document.getElementById("report-words");
    this.#identity = identity;
  }

  connect() {
    workable(this.#dialog);
    this.#kind.append(option("", "Choose a reason"), ...REASONS.map((reason) => option(reason, reason)),
      option("other", "Another reason"));
    this.#kind.addEventListener("change", () => { this.#words.required = this.#kind.value === "other"; });
    this.#dialog.addEventListener("close", () => {
      if (this.#dialog.returnValue !== "report") return;
      const kind = this.#kind.value === "other" ? "" : this.#kind.value;
      const reason = [kind, this.#words.value.trim()].filter(Boolean).join(": ");
      this.dispatchEvent(new CustomEvent("report", { detail: { card: this.#card, reason } }));
    });
  }

  /** @param {object} card @param {string} source its id in the network, as far as it is known */
  ask(card, source) {
    this.#card = card;
    this.#identity.dress(this.#dialog, card);
    this.#dialog.querySelector("bdi").textContent = callerWord(card);
    this.#source.textContent = source || card.caller.uri;
    this.#kind.value = "";
    this.#words.value = "";
    this.#words.required = false;
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    this.#kind.focus();
  }
}

/** What became of a report, in words. */
export function reportWords({ status, cause, httpStatus }) {
  if (status === "accepted") return "accepted by the network";
  if (status === "failed") return `failed: ${[httpStatus, cause].filter(Boolean).join(" ") || "no reason given"}`;
  return "on its way";
}
