import { hostOf, kindWord } from "./reference-words.js";
import { showTime } from "./time.js";

/** What became of a reference, in words, and what can be done. */
export function referenceWords({ kind, purpose, status, cause, url, allowedBy, fetchedAt }) {
  const what = kind === "location" ? "Location" : kindWord(purpose);
  const host = hostOf(url);
  const by = allowedBy ? `, allowed by ${allowedBy}` : "";
  switch (status) {
    case "pending": return { what, host, words: `being fetched${by}`, verb: "", time: null };
    case "unlisted": return { what, host, words: "not fetched: host not on the list", verb: "Fetch anyway", time: null };
    case "fetched": return { what, host, words: `fetched${by}`, verb: "", time: fetchedAt ?? null };
    case "failed": return { what, host, words: `could not be fetched: ${cause || "no reason given"}${by}`, verb: "Try again", time: null };
    default: return { what, host, words: status ?? "", verb: "", time: null };
  }
}

/**
 * What messages named by its URL alone, and whether it was fetched; `fetchedAt` stands on a
 * reference once its event was heard. Emits "fetch" (detail: the reference).
 */
export class ReferenceList extends EventTarget {
  #open; // what is still to be had: first of all, since somebody may have to decide
  #fetched;
  #shown = "";
  #references = [];

  constructor(document) {
    super();
    this.#open = document.getElementById("references");
    this.#fetched = document.getElementById("references-fetched");
  }

  connect() {
    this.#open.addEventListener("click", (event) => {
      const id = event.target.closest("button")?.dataset.reference;
      const detail = this.#references.find((one) => one.id === id);
      if (detail) this.dispatchEvent(new CustomEvent("fetch", { detail }));
    });
  }

  /** @param {object[]} references @param {boolean} mayFetch */
  show(references, mayFetch) {
    const shown = JSON.stringify([references, mayFetch]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#references = references;
    const focused = this.#open.contains(document.activeElement) ? document.activeElement.dataset.reference : null;
    for (const [box, wanted] of [[this.#open, (status) => status !== "fetched"], [this.#fetched, (status) => status === "fetched"]]) {
      const items = references.filter(({ status }) => wanted(status)).map((one) => itemOf(one, mayFetch));
      box.hidden = items.length === 0;
      box.querySelector("ul").replaceChildren(...items);
    }
    if (focused === null) return;
    const again = this.#open.querySelector(`[data-reference="${CSS.escape(focused)}"]`);
    (again ?? document.getElementById("caller-body")).focus();
  }
}

function itemOf(reference, mayFetch) {
  const { what, host, words, verb, time } = referenceWords(reference);
  const item = document.createElement("li");
  item.dataset.status = reference.status;
  const text = document.createElement("p");
  const name = document.createElement("b");
  name.textContent = what;
  const place = document.createElement("bdi");
  place.textContent = host;
  place.title = reference.url;
  text.append(name, " from ", place);
  const state = document.createElement("p");
  state.className = "reference-state";
  state.textContent = words;
  item.append(text, state);
  if (time) {
    const element = document.createElement("time");
    showTime(element, time);
    state.append(" at ", element);
  }
  if (verb && mayFetch) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button small";
    button.textContent = verb;
    button.dataset.reference = reference.id;
    button.ariaLabel = `${verb}: ${what} from ${host}`;
    item.append(button);
  }
  return item;
}
