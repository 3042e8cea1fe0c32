/**
 * The server's time on this desk, so that ages agree on all screens although desk clocks differ.
 * Emits "tick" once a second.
 */
export class ServerClock extends EventTarget {
  #offset = 0;
  #heard = false;
  #timer = null;

  connect() {
    this.#timer = setInterval(() => this.dispatchEvent(new Event("tick")), 1000);
  }

  disconnect() {
    clearInterval(this.#timer);
  }

  /** Learn from a time that the server has just read. @param {string} at RFC 3339 */
  hear(at) {
    const offset = Date.parse(at) - Date.now();
    if (Number.isNaN(offset)) return;
    // Smoothed: one late ping must not make every age jump.
    this.#offset = this.#heard ? this.#offset + (offset - this.#offset) * 0.2 : offset;
    this.#heard = true;
  }

  /** Milliseconds since the epoch, as the server would say now. */
  now() {
    return Date.now() + this.#offset;
  }

  /** Milliseconds since a server's time. @param {string} at RFC 3339 */
  since(at) {
    return this.now() - Date.parse(at);
  }
}
