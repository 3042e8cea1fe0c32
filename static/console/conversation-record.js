/**
 * One chat's history as this browser holds it: gapless by sequence number, each event once.
 *
 * Emits "refilled", then live "message", "message-changed" (detail: the message), "event"
 * (detail: {seq, kind, at, actor, data}), "fixes", "additional", "supplement" when references,
 * relays, reports or signalling changed; "gap" when an event is missing, and "outdated" when an
 * event says that something changed which did not come with it.
 */
export class ConversationRecord extends EventTarget {
  card = null;
  seq = 0;
  loaded = false;
  messages = new Map();
  fixes = [];
  additional = [];
  events = [];
  references = new Map();
  relays = new Map(); // by id of the message that is passed on
  reports = new Map();
  transfers = new Map();
  signalling = {};
  notes = []; // of control rooms, ours too
  psaps = []; // that had the chat before: {uri, name, from}
  #brought = []; // events with references, relays, reports or signalling
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
    for (const kept of [this.references, this.relays, this.reports]) kept.clear();
    this.#supplement(body);
    this.loaded = true;
    this.dispatchEvent(new Event("refilled"));
    this.#drain();
  }

  /**
   * Take over what came without an event's own frame; messages and events stay as they are. The
   * body may be older than what events have told meanwhile: that holds.
   */
  supplement(body) {
    this.#supplement(body);
    for (const event of this.#brought) if (event.seq > body.card.seq) this.#supplement(event);
    if (this.#keepFixes(body.fixes)) this.#emit("fixes", body.fixes);
    if (this.#keepData(body.additionalData)) this.#emit("additional", body.additionalData);
    this.#emit("supplement");
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
    const transfer = event.card?.transfer;
    if (transfer) this.transfers.set(transfer.id, transfer);
    const moved = this.#keepFixes(event.fixes);
    const told = this.#keepData(event.additionalData);
    const supplemented = SUPPLEMENTS.some((name) => name in event);
    if (supplemented) {
      this.#brought.push(event);
      this.#supplement(event);
    }
    const { message } = event;
    if (message) {
      const known = this.messages.has(message.id);
      this.messages.set(message.id, message);
      this.#emit(known ? "message-changed" : "message", message);
    }
    if (moved) this.#emit("fixes", event.fixes);
    if (told) this.#emit("additional", event.additionalData);
    if (supplemented) this.#emit("supplement");
    else if (event.ev in BRINGS && !(BRINGS[event.ev] in event)) this.#emit("outdated");
    const entry = {
      seq: event.seq, kind: event.ev, at: event.at, actor: event.actor,
      data: event.data ?? factsOf(event.card),
    };
    this.events.push(entry);
    this.#emit("event", entry);
  }

  #supplement(body) {
    for (const one of body.references ?? []) this.references.set(one.id, one);
    for (const one of body.relays ?? []) this.relays.set(one.messageId, one);
    for (const one of body.reports ?? []) this.reports.set(one.id, one);
    for (const one of body.transfers ?? []) this.transfers.set(one.id, one);
    for (const name of ["signalling", "notes", "psaps"]) if (body[name]) this[name] = body[name];
  }

  /** A message that something is fetched for later brings those again that it had. */
  #keepFixes(fixes) {
    if (!fixes?.length) return false;
    const known = new Set(this.fixes.map((fix) => fix.id));
    const anew = fixes.filter((fix) => !known.has(fix.id));
    this.fixes.push(...anew);
    return anew.length > 0;
  }

  #keepData(blocks) {
    if (!blocks?.length) return false;
    const known = new Set(this.additional.map((block) => JSON.stringify(block)));
    const anew = blocks.filter((block) => !known.has(JSON.stringify(block)));
    this.additional.push(...anew);
    return anew.length > 0;
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

const SUPPLEMENTS = ["references", "relays", "reports", "signalling"];

/** What the frame of an event should bring; where it does not, it is asked for. */
const BRINGS = {
  "reference-allowed": "references", "reference-unlisted": "references", "location-fetched": "references", "data-fetched": "references",
  "fetch-failed": "references", "message-relayed": "relays", "relay-failed": "relays",
  "source-reported": "reports", "signalling-changed": "signalling", "chat-arriving": "psaps", "note-imported": "notes",
};

/** What an event's data would say, read from the card where the data did not travel. */
function factsOf(card) {
  if (!card) return {};
  return {
    endedBy: card.endedBy, liveness: card.liveness, owner: card.owner?.username,
    disposition: card.disposition, service: card.service,
    standalone: card.standalone, recovered: card.recovered, linkedTo: card.linkedTo,
  };
}
