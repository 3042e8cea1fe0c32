// Refusals that pass by themselves; a text that somebody typed is not given up for them.
const PASSING = new Set(["unavailable", "chat-busy", "too-many"]);
const RETRY = 1_500;

/**
 * Issues commands over the socket and brings each its answer, across reconnects.
 *
 * Every command carries an id of ours; the server answers a repeated id with its first answer,
 * so repeating after a lost connection never does anything twice.
 */
export class CommandDesk {
  #socket;
  #outstanding = new Map();

  /** @param {import("./console-socket.js").ConsoleSocket} socket */
  constructor(socket) {
    this.#socket = socket;
  }

  /**
   * Send a command and resolve with its answer {ok, code?, detail?, …}; never rejects.
   * A patient command waits for the connection; any other is refused at once without one.
   */
  issue(command, { id = newId(), patient = false, onWritten = null } = {}) {
    const known = this.#outstanding.get(id);
    if (known) return known.answer;
    if (!patient && !this.#socket.up) {
      return Promise.resolve({
        ok: false, code: "no-connection", detail: "There is no connection to the server.",
      });
    }
    const entry = { command: { ...command, id }, patient, written: false, onWritten };
    entry.answer = new Promise((resolve) => { entry.resolve = resolve; });
    this.#outstanding.set(id, entry);
    this.#write(entry);
    return entry.answer;
  }

  /** Take back a command that has never left this browser; false when it has. */
  withdraw(id) {
    const entry = this.#outstanding.get(id);
    if (!entry || entry.written) return false;
    this.#outstanding.delete(id);
    entry.resolve({ ok: false, code: "withdrawn", detail: "Taken back." });
    return true;
  }

  /** Repeat whatever has no answer yet; call when the connection is back. */
  resume() {
    for (const entry of this.#outstanding.values()) this.#write(entry);
  }

  /** Hand an answer of the server to whoever waits for it. */
  receive(reply) {
    const entry = this.#outstanding.get(reply.re);
    if (!entry) return;
    if (entry.patient && PASSING.has(reply.code)) {
      setTimeout(() => this.#outstanding.has(reply.re) && this.#write(entry), RETRY);
      return;
    }
    this.#outstanding.delete(reply.re);
    entry.resolve(reply);
  }

  #write(entry) {
    if (!this.#socket.send(entry.command)) return;
    entry.written = true;
    entry.onWritten?.();
  }
}

/** A random id; crypto.randomUUID exists in secure contexts only, and a desk may use http. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
