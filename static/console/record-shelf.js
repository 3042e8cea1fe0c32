import { ConversationRecord } from "./conversation-record.js";
import { Pace } from "./pace.js";

const KEPT = 24;
const RETRY = 1_500;

/**
 * Keeps the records of the chats that were looked at lately, loads them, fills their gaps.
 * Emits "expired" when loading shows that the login no longer holds, "failed" (detail: chat).
 */
export class RecordShelf extends EventTarget {
  #records = new Map();
  #address;
  #desk;
  #catchingUp = new Set();

  /** @param {string} address URL with {chat} in it @param desk the CommandDesk */
  constructor(address, desk) {
    super();
    this.#address = address;
    this.#desk = desk;
  }

  /** Ids of the chats whose every event this browser follows. */
  get followed() {
    return new Set([...this.#records].filter(([, record]) => record.loaded).map(([chat]) => chat));
  }

  /** The record of a chat, loading from its first use on. */
  open(chat) {
    let record = this.#records.get(chat);
    if (record) {
      this.#records.delete(chat); // and put it back as the latest used
    } else {
      record = new ConversationRecord(chat);
      record.addEventListener("gap", () => this.#catchUp([record]));
      const supplement = new Pace(RETRY, () => this.#load(record, (body) => record.supplement(body)));
      record.addEventListener("outdated", () => supplement.ask());
      this.#load(record);
    }
    this.#records.set(chat, record);
    return record;
  }

  /** Forget the records used longest ago, except those in `pinned`. */
  trim(pinned) {
    for (const chat of this.#records.keys()) {
      if (this.#records.size <= KEPT) return;
      if (!pinned.has(chat)) this.#records.delete(chat);
    }
  }

  hear(event) {
    this.#records.get(event.chat)?.hear(event);
  }

  /** Ask for everything that was missed while there was no connection. */
  catchUpAll() {
    this.#catchingUp.clear();
    return this.#catchUp([...this.#records.values()].filter((record) => record.loaded));
  }

  async #catchUp(records) {
    const wanted = records.filter((record) => !this.#catchingUp.has(record.chat));
    if (wanted.length === 0) return;
    const seen = {};
    for (const record of wanted) {
      seen[record.chat] = record.seq;
      this.#catchingUp.add(record.chat);
    }
    const reply = await this.#desk.issue({ do: "catch-up", seen });
    for (const record of wanted) {
      this.#catchingUp.delete(record.chat);
      if (reply.ok && !reply.more) record.giveUpWaiting();
      else if (!reply.ok && reply.code !== "no-connection") this.#load(record);
    }
    // A replay has an upper length; what is left comes with the next one.
    if (reply.more) await this.#catchUp(wanted);
  }

  async #load(record, take = (body) => record.fill(body)) {
    const address = this.#address.replace("{chat}", encodeURIComponent(record.chat));
    try {
      const response = await fetch(address, {
        headers: { Accept: "application/json" }, cache: "no-store",
      });
      if (response.status === 401) {
        this.dispatchEvent(new Event("expired"));
        return;
      }
      if (response.status === 403 || response.status === 404) {
        this.#records.delete(record.chat);
        this.dispatchEvent(new CustomEvent("failed", { detail: record.chat }));
        return;
      }
      if (!response.ok) throw new Error(`status ${response.status}`);
      take(await response.json());
    } catch {
      setTimeout(() => {
        if (this.#records.get(record.chat) === record) this.#load(record, take);
      }, RETRY);
    }
  }
}
