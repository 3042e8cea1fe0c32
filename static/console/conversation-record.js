/**
 * One chat's history as this browser holds it: gapless by sequence number, each event once.
 *
 * Emits "refilled", then live "message", "message-changed" (detail: the message), "event"
 * (detail: {seq, kind, at, actor, data}), "fixes", "additional"; "gap" when an event is missing.
 */
export class ConversationRecord extends EventTarget {
  card = null;
  seq = 0;
  loaded = false;
  messages = new Map();
  fixes = [];
  additional = [];
  events = [];
  #held = new Map();

  constructor(chat) {
    super();
    this.chat = chat;
  }

  /** Take the conversation over as the server holds it; events held meanwhile follow it. */
  fill(body) {
    this.card = body.card;
    this.seq = body.card.seq;
    this.messages = new Map(body.messages.map((message) => [message.id, message]));
    this.fixes = body.fixes;
    this.additional = body.additionalData;
    this.events = body.events;
    this.loaded = true;
    this.dispatchEvent(new Event("refilled"));
    this.#drain();
  }

  /** Take one live or replayed event; what is older than the record is dropped. */
  hear(event) {
    if (this.loaded && event.seq <= this.seq) return;
    if (this.loaded && event.seq === this.seq + 1) {
      this.#apply(event);
      this.#drain();
      return;
    }
    this.#held.set(event.seq, event);
    if (this.loaded) this.dispatchEvent(new Event("gap"));
  }

  /** Apply what is still held although something before it never came. */
  giveUpWaiting() {
    if (!this.loaded) return;
    for (const seq of [...this.#held.keys()].sort((a, b) => a - b)) this.#take(seq);
  }

  #drain() {
    if (this.#held.size === 0) return;
    for (const seq of this.#held.keys()) if (seq <= this.seq) this.#held.delete(seq);
    while (this.#held.has(this.seq + 1)) this.#take(this.seq + 1);
    if (this.#held.size) this.dispatchEvent(new Event("gap"));
  }

  #take(seq) {
    const event = this.#held.get(seq);
    this.#held.delete(seq);
    if (seq > this.seq) this.#apply(event);
  }

  #apply(event) {
    this.seq = event.seq;
    if (event.card && (!this.card || event.card.seq >= this.card.seq)) this.card = event.card;
    if (event.fixes?.length) this.fixes.push(...event.fixes);
    const { message } = event;
    if (message) {
      const known = this.messages.has(message.id);
      this.messages.set(message.id, message);
      this.#emit(known ? "message-changed" : "message", message);
    }
    if (event.fixes?.length) this.#emit("fixes", event.fixes);
    if (event.additionalData?.length) {
      this.additional.push(...event.additionalData);
      this.#emit("additional", event.additionalData);
    }
    const entry = {
      seq: event.seq, kind: event.ev, at: event.at, actor: event.actor,
      data: event.data ?? factsOf(event.card),
    };
    this.events.push(entry);
    this.#emit("event", entry);
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** What an event's data would say, read from the card where the data did not travel. */
function factsOf(card) {
  if (!card) return {};
  return {
    endedBy: card.endedBy, liveness: card.liveness, owner: card.owner?.username,
    disposition: card.disposition, service: card.service,
    standalone: card.standalone, recovered: card.recovered, linkedTo: card.linkedTo,
  };
}
