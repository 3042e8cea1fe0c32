import { newId } from "./command-desk.js";

// After that long a text may no longer fit; it goes back to the call-taker instead of the caller.
const STALE = 10 * 60_000;

/**
 * Texts that the call-taker has sent and the server has not yet confirmed.
 *
 * They survive a lost socket and a reload, and go out once: the command id stays the same.
 * Emits "changed" (detail: chat), "returned" (detail: {chat, text, reason}) when a text
 * could not be sent and belongs back into the editor; "confirmed" (detail: the entry).
 */
export class PendingTexts extends EventTarget {
  #desk;
  #key;
  #entries = new Map();

  constructor(desk, username) {
    super();
    this.#desk = desk;
    this.#key = `leitstand.pending.${username}`;
  }

  /** Take up what a reload interrupted; call once, before the socket connects. */
  connect() {
    for (const entry of JSON.parse(sessionStorage.getItem(this.#key) ?? "[]")) {
      this.#entries.set(entry.id, { ...entry, state: "waiting", messageId: null });
      if (Date.now() - entry.typedAt > STALE) {
        this.#giveBack(this.#entries.get(entry.id), "It was not sent before this page was left.");
      } else {
        this.#issue(this.#entries.get(entry.id));
      }
    }
  }

  /** Send a text in the chat that it was typed in. */
  add(chat, text) {
    const entry = { id: newId(), chat, text, typedAt: Date.now(), state: "waiting", messageId: null };
    this.#entries.set(entry.id, entry);
    this.#save();
    this.#issue(entry);
    this.#changed(chat);
  }

  /** Entries of one chat, oldest first; state is "waiting" (no connection) or "sent". */
  of(chat) {
    return [...this.#entries.values()].filter((entry) => entry.chat === chat);
  }

  /** Take back a text that has not left this browser. */
  takeBack(id) {
    this.#desk.withdraw(id);
  }

  /** Drop a text that the server has confirmed and the record already shows. */
  drop(id) {
    const entry = this.#entries.get(id);
    if (entry) this.#remove(entry);
  }

  /** The server's record now shows this message: its pending line has served. */
  settle(chat, message, username) {
    if (message.direction !== "out") return;
    for (const entry of this.of(chat)) {
      const same = entry.messageId
        ? entry.messageId === message.id
        : message.author?.username === username && message.text.trim() === entry.text.trim();
      if (same) {
        this.#remove(entry);
        return;
      }
    }
  }

  async #issue(entry) {
    const reply = await this.#desk.issue(
      { do: "send", chat: entry.chat, text: entry.text },
      {
        id: entry.id,
        patient: true,
        onWritten: () => {
          if (entry.state === "sent") return;
          entry.state = "sent";
          queueMicrotask(() => this.#changed(entry.chat));
        },
      },
    );
    if (!this.#entries.has(entry.id)) return;
    if (reply.ok) {
      entry.messageId = reply.message;
      this.dispatchEvent(new CustomEvent("confirmed", { detail: entry }));
      this.#save();
    } else {
      this.#giveBack(entry, reply.code === "withdrawn" ? "" : reply.detail);
    }
  }

  #giveBack(entry, reason) {
    this.#remove(entry);
    const detail = { chat: entry.chat, text: entry.text, reason };
    queueMicrotask(() => this.dispatchEvent(new CustomEvent("returned", { detail })));
  }

  #remove(entry) {
    this.#entries.delete(entry.id);
    this.#save();
    this.#changed(entry.chat);
  }

  #save() {
    const unconfirmed = [...this.#entries.values()].filter((entry) => !entry.messageId);
    sessionStorage.setItem(this.#key, JSON.stringify(unconfirmed));
  }

  #changed(chat) {
    this.dispatchEvent(new CustomEvent("changed", { detail: chat }));
  }
}
