import { numberWord } from "./words.js";

/**
 * What the queue knows of every chat: its card, and what arrived unseen.
 *
 * Emits "members" when a chat came, went or changed its section, "card" (detail: chat id)
 * when anything else of a card changed, "offers" (detail: those that have ended) when other control
 * rooms' offers did, and "alarms" when those of the instance did.
 */
export class ChatStore extends EventTarget {
  cards = new Map();
  unread = new Map();
  undelivered = new Map(); // chat to ids of texts of mine that did not arrive, until looked at
  returned = new Set(); // chats of mine that another control room did not take, until looked at
  peers = []; // control rooms that a chat can be passed on to: {id, name, uri, transfers}
  offers = []; // chats that control rooms hand over to us, as docs/live.md has them
  alarms = []; // of the instance: {code, severity, text}
  me = { username: "", name: "", roles: [], commands: [] };
  psap = { name: "", greeting: "", closingText: "", lostAfter: 45, dispositions: [] };
  #names = new Map();
  #heard = new Map();
  // My chats keep the place that they got first, so that Alt+1 stays the same person.
  #places = new Map();
  #nextPlace = 1;

  /**
   * Take a snapshot over. Chats in `followed` keep their place, since the events that
   * were missed are about to be replayed for them; all others jump to the snapshot's.
   */
  replace(snapshot, followed) {
    this.me = snapshot.you;
    this.psap = snapshot.psap;
    this.peers = snapshot.peers ?? [];
    this.hearAlarms(snapshot.alarms ?? []);
    this.offers = snapshot.offers ?? [];
    this.#names.set(this.me.username, this.me.name);
    this.cards = new Map();
    for (const card of [...snapshot.chats].sort((a, b) => compare(a.answeredAt, b.answeredAt))) {
      this.cards.set(card.chat, card);
      this.#learnName(card.owner);
      this.#place(card);
      if (!followed.has(card.chat)) this.#heard.set(card.chat, card.seq);
    }
    this.dispatchEvent(new Event("members"));
    this.dispatchEvent(new CustomEvent("offers", { detail: [] }));
  }

  /** Take one event; false when it had been taken before. */
  hear(event, { seen }) {
    const { chat, seq, card } = event;
    if (seq <= (this.#heard.get(chat) ?? 0)) return false;
    this.#heard.set(chat, seq);
    const before = this.cards.get(chat);
    if (card && (!before || card.seq >= before.seq)) this.#put(card, before);
    if (event.ev === "message-received" && event.message?.text && !seen && this.isMine(card)) {
      this.unread.set(chat, (this.unread.get(chat) ?? 0) + 1);
      this.#changed(chat);
    }
    if (event.ev === "delivery-changed" && this.isMine(card)) this.#noteDelivery(chat, event.message, seen);
    if (CAME_BACK.test(event.ev) && this.isMine(card) && !seen) {
      this.returned.add(chat);
      this.#changed(chat);
    }
    return true;
  }

  hearOffers({ offers, ended = [] }) {
    this.offers = offers;
    this.dispatchEvent(new CustomEvent("offers", { detail: ended }));
    this.dispatchEvent(new Event("members"));
  }

  /** The offers that wait for an answer, the oldest first. */
  get offered() {
    return this.offers.filter(({ state }) => state === "offered");
  }

  hearAlarms(alarms) {
    this.alarms = alarms;
    this.dispatchEvent(new Event("alarms"));
  }

  /** Move signs of life; they have no sequence number. @param {Object<string, string>} signs */
  hearSigns(signs) {
    for (const [chat, at] of Object.entries(signs)) {
      const card = this.cards.get(chat);
      if (card && !(card.lastSignOfLife > at)) card.lastSignOfLife = at;
    }
  }

  markSeen(chat) {
    const marks = [this.unread, this.undelivered, this.returned].map((marked) => marked.delete(chat));
    if (marks.includes(true)) this.#changed(chat);
  }

  /** "ringing", "mine", "closing" (ended before anyone answered), "others", or null: not queued. */
  sectionOf(card) {
    if (!card || card.disposition) return null;
    if (this.isMine(card)) return "mine";
    if (card.owner) return "others";
    return card.ringingSince || ["open", "arriving"].includes(card.session) ? "ringing" : "closing";
  }

  /** Ids of one section in the order in which they are worked. */
  idsOf(section) {
    const cards = [];
    for (const card of this.cards.values()) {
      if (this.sectionOf(card) === section) cards.push(card);
    }
    const rank = section === "mine" ? (card) => this.#places.get(card.chat) : RANKS[section];
    cards.sort((a, b) => compare(rank(a), rank(b)) || Number(a.chat) - Number(b.chat));
    return cards.map((card) => card.chat);
  }

  isMine(card) {
    return Boolean(card?.owner) && card.owner.username === this.me.username;
  }

  may(command) {
    return this.me.commands.includes(command);
  }

  /** Name of a call-taker as far as this screen has met it. */
  nameOf(username) {
    return this.#names.get(username) ?? username;
  }

  /** Name of a control room by its URI, as one of our peers or of those that a chat has met. */
  peerName(uri, met = []) {
    if (!uri) return "another control room";
    const wanted = bareUri(uri);
    return [...this.peers, ...met].find((peer) => bareUri(peer.uri) === wanted)?.name || numberWord(uri);
  }

  /** Name of the control room that a chat is going to, gone to or coming from. */
  otherName({ goneTo, transfer, cameFrom }) {
    return goneTo ? this.peerName(goneTo) : transfer?.peer || this.peerName(cameFrom);
  }

  #put(card, before) {
    this.#learnName(card.owner);
    if (before && before.lastSignOfLife > card.lastSignOfLife) {
      card.lastSignOfLife = before.lastSignOfLife;
    }
    const from = this.sectionOf(before);
    const to = this.sectionOf(card);
    if (to === null) {
      this.cards.delete(card.chat);
    } else {
      this.cards.set(card.chat, card);
    }
    if (to !== "mine") {
      for (const marked of [this.unread, this.undelivered, this.returned]) marked.delete(card.chat);
    }
    this.#place(card);
    if (from !== to) this.dispatchEvent(new Event("members"));
    else if (to !== null) this.#changed(card.chat);
  }

  #noteDelivery(chat, message, seen) {
    const ids = this.undelivered.get(chat) ?? new Set();
    if (["failed", "deferred"].includes(message?.status) && !seen) ids.add(message.id);
    else ids.delete(message?.id);
    if (ids.size) this.undelivered.set(chat, ids);
    else this.undelivered.delete(chat);
    this.#changed(chat);
  }

  #place(card) {
    if (this.sectionOf(card) !== "mine") this.#places.delete(card.chat);
    else if (!this.#places.has(card.chat)) this.#places.set(card.chat, this.#nextPlace++);
  }

  #learnName(owner) {
    if (owner) this.#names.set(owner.username, owner.name);
  }

  #changed(chat) {
    this.dispatchEvent(new CustomEvent("card", { detail: chat }));
  }
}

const CAME_BACK = /^(redirect|transfer)-(failed|declined|expired)$/;
const compare = (a, b) => (a < b ? -1 : Number(a > b));

const bareUri = (uri) => (uri ?? "").replace(/^sips?:/i, "").split(/[;?>]/)[0].toLowerCase();

// Who is still there before who has left, people before data; the longest waiting on top.
const presence = (card) => (card.alert ? 2 : Number(needsClosing(card)));
const RANKS = {
  ringing: (card) => `${presence(card)} ${card.ringingSince ?? card.openedAt}`,
  closing: (card) => card.endedAt ?? card.openedAt,
  others: (card) => card.answeredAt ?? card.openedAt,
};

/** Whether a chat has ended and waits only for its disposition. */
export function needsClosing(card) {
  return !card.disposition && ["stopped", "redirected", "transferred"].includes(card.session);
}
