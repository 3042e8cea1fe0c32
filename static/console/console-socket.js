/**
 * The only owner of the WebSocket: connects, answers pings, notices silence, comes back.
 *
 * Emits "message" (detail: the parsed envelope), "up", "down" (detail: {since, retryAt}) and
 * "expired" when the login no longer holds (close code 4401) or "forbidden" when it has lost its
 * role (4403), the two cases without a return.
 */
const SILENCE = 10_000; // the server pings every 4 s
const FIRST_DELAY = 250;
const LAST_DELAY = 5_000;
const LOGIN_EXPIRED = 4401;
const ROLE_LOST = 4403;

export class ConsoleSocket extends EventTarget {
  #url;
  #socket = null;
  #up = false;
  #attempt = 0;
  #openedAt = 0;
  #heardAt = Date.now();
  #retryTimer = null;
  #watchdog = null;
  #onWake = () => this.#wake();

  /** @param {string} path path of the WebSocket on this origin */
  constructor(path) {
    super();
    this.#url = new URL(path, location.href);
    this.#url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  }

  get up() {
    return this.#up;
  }

  connect() {
    addEventListener("online", this.#onWake);
    document.addEventListener("visibilitychange", this.#onWake);
    this.#watchdog = setInterval(() => this.#checkSilence(), 1000);
    this.#open();
  }

  disconnect() {
    removeEventListener("online", this.#onWake);
    document.removeEventListener("visibilitychange", this.#onWake);
    clearInterval(this.#watchdog);
    clearTimeout(this.#retryTimer);
    this.#drop();
  }

  /** Write one command; false when there is no connection to write it to. */
  send(command) {
    if (!this.#up) return false;
    this.#socket.send(JSON.stringify(command));
    return true;
  }

  /** Skip the waiting time before the next attempt. */
  retryNow() {
    if (this.#socket) return;
    clearTimeout(this.#retryTimer);
    this.#open();
  }

  #open() {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#openedAt = Date.now();
    socket.onmessage = (event) => this.#receive(socket, event.data);
    socket.onclose = (event) => this.#closed(socket, event.code);
  }

  #receive(socket, data) {
    if (socket !== this.#socket) return;
    this.#heardAt = Date.now();
    const envelope = JSON.parse(data);
    if (envelope.ev === "ping") {
      // Answered here, not by a timer: browsers slow timers down in hidden tabs.
      socket.send('{"do":"pong"}');
    }
    if (!this.#up) {
      // Only a first word proves that somebody is there; an accepted socket does not.
      this.#up = true;
      this.#attempt = 0;
      this.dispatchEvent(new Event("up"));
    }
    for (const one of envelope.ev === "batch" ? envelope.events : [envelope]) {
      this.dispatchEvent(new CustomEvent("message", { detail: one }));
    }
  }

  #closed(socket, code) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    this.#up = false;
    if (code === LOGIN_EXPIRED || code === ROLE_LOST) {
      this.disconnect();
      this.dispatchEvent(new Event(code === ROLE_LOST ? "forbidden" : "expired"));
    } else {
      this.#comeBack();
    }
  }

  #comeBack() {
    const ceiling = Math.min(LAST_DELAY, FIRST_DELAY * 2 ** this.#attempt);
    this.#attempt += 1;
    // Jitter: fifty desks must not all return in the same millisecond.
    const delay = ceiling / 2 + (Math.random() * ceiling) / 2;
    this.#retryTimer = setTimeout(() => this.#open(), delay);
    this.dispatchEvent(
      new CustomEvent("down", { detail: { since: this.#heardAt, retryAt: Date.now() + delay } }),
    );
  }

  #checkSilence() {
    if (this.#socket && Date.now() - Math.max(this.#heardAt, this.#openedAt) > SILENCE) {
      // close() would wait for a peer that no longer answers: leave that socket behind.
      this.#drop();
      this.#comeBack();
    }
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#up = false;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #wake() {
    if (document.visibilityState === "visible") this.retryNow();
  }
}
