import { loadElement } from "./load-element.js";

const AGAIN = 3_000;

/**
 * The place of what comes after the first paint. What was asked for last is shown once its code
 * is there; where it cannot be had, it is tried again, and everything else goes on.
 */
export class AnnexFrame {
  #document;
  #console;
  #identity;
  #annex = null;
  #ready;
  #tellReady;
  #shown = null;
  #fixes = null;
  #loading = false;
  #failed = false;

  constructor(document, console, identity) {
    this.#document = document;
    this.#console = console;
    this.#identity = identity;
    this.#ready = new Promise((resolve) => { this.#tellReady = resolve; });
  }

  connect() {
    // A message between two tasks: the first paint goes first, and nothing else is waited for.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => this.#load();
    port2.postMessage(null);
  }

  /** As Annex.show, now or once it is there. */
  show(card, record) {
    this.#shown = [card, record];
    this.#annex?.show(card, record);
  }

  showFixes(record) {
    this.#fixes = record;
    this.#annex?.showFixes(record);
  }

  /** Say what became of a redirect. */
  async sayRedirect(event) {
    (await this.#ready).sayRedirect(event);
  }

  /** The Annex, once it is there. */
  ready() {
    return this.#ready;
  }

  async #load() {
    if (this.#loading || this.#annex) return;
    this.#loading = true;
    const found = await this.#fetch();
    this.#loading = false;
    if (!found) return;
    const annex = new found.Annex(this.#document, this.#console, this.#identity);
    annex.connect();
    this.#annex = annex;
    if (this.#shown) annex.show(...this.#shown);
    if (this.#fixes) annex.showFixes(this.#fixes);
    this.#tellReady(annex);
  }

  /** The code and its look, or null; then it is tried again. */
  async #fetch() {
    try {
      const { annexStyle: href } = this.#document.body.dataset;
      // Some browsers remember that an import failed: another address is another import.
      const again = this.#failed ? `?${Date.now()}` : "";
      const look = loadElement(this.#document, "link", { rel: "stylesheet", href });
      const [found] = await Promise.all([import(`./annex.js${again}`), look]);
      return found;
    } catch {
      if (!this.#failed) this.#console.notices.warn("A part of the console could not be loaded. Trying again.");
      this.#failed = true;
      setTimeout(() => this.#load(), AGAIN);
      return null;
    }
  }
}
