import { Pace } from "./pace.js";
import { QueueCard } from "./queue-card.js";

const SECTIONS = ["ringing", "mine", "closing", "others"];
const STEPS = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
const SHOWN = 100; // a section beyond that is a flood: its oldest come first, the rest is counted
const PACE = 250;

/**
 * The queue. Events only mark cards; the marked ones are written a few times a second, members
 * of the sections at once. Emits "choose" and "answer" (detail: chat).
 */
export class QueueView extends EventTarget {
  #root;
  #store;
  #clock;
  #identity;
  #template;
  #cards = new Map();
  #dirty = new Set();
  // A card may wait a little; who came or went is shown at once, in a flood at the same pace.
  #cardPace = new Pace(PACE, () => this.#showMarked());
  #memberPace = new Pace(PACE, () => this.#arrange());
  #chosen = null;

  constructor(document, { store, clock, identity }) {
    super();
    this.#root = document.getElementById("queue");
    this.#template = document.getElementById("card-template");
    this.#store = store;
    this.#clock = clock;
    this.#identity = identity;
  }

  connect() {
    this.#store.addEventListener("members", () => this.#memberPace.ask());
    this.#store.addEventListener("card", ({ detail }) => {
      this.#dirty.add(detail);
      this.#cardPace.ask();
    });
    this.#clock.addEventListener("tick", () => this.#tick());
    this.#root.addEventListener("click", (event) => {
      const chat = event.target.closest("[data-chat]")?.dataset.chat;
      if (!chat) return;
      const wish = event.target.closest(".card-answer") ? "answer" : "choose";
      this.dispatchEvent(new CustomEvent(wish, { detail: chat }));
    });
    this.#root.addEventListener("keydown", (event) => {
      const by = STEPS[event.key];
      if (!by) return;
      event.preventDefault();
      this.step(by);
    });
  }

  /** Ids in the order on screen. */
  get order() {
    return [...this.#root.querySelectorAll(".card")].map((element) => element.dataset.chat);
  }

  /** Mark the chosen chat; it is the queue's one tab stop. */
  choose(chat) {
    for (const id of [this.#chosen, chat]) this.#cards.get(id)?.open.removeAttribute("aria-current");
    this.#chosen = chat;
    const card = this.#cards.get(chat);
    card?.open.setAttribute("aria-current", "true");
    card?.element.scrollIntoView({ block: "nearest" });
    this.#moveTabStop();
  }

  /** Move the choice up or down the queue, with the focus. */
  step(by) {
    const { order } = this;
    if (order.length === 0) return;
    const at = order.indexOf(this.#chosen);
    const next = at < 0 ? (by > 0 ? 0 : order.length - 1) : at + by;
    const chat = order[Math.min(order.length - 1, Math.max(0, next))];
    this.dispatchEvent(new CustomEvent("choose", { detail: chat }));
    this.focus();
  }

  /** Focus the chosen chat, else the first one; false when there is none. */
  focus() {
    const stop = this.#cards.get(this.#chosen)?.open ?? this.#root.querySelector(".card-open");
    stop?.focus();
    return Boolean(stop);
  }

  #showMarked() {
    for (const chat of this.#dirty) this.#showCard(this.#cards.get(chat));
    this.#dirty.clear();
  }

  /** Put cards into their sections, moving only those that are out of place. */
  #arrange() {
    const present = new Set();
    const chosenBefore = this.#cards.get(this.#chosen)?.section;
    const focused = this.#root.contains(document.activeElement)
      ? document.activeElement.closest("[data-chat]")?.dataset.chat
      : null;
    for (const section of SECTIONS) {
      const ids = this.#store.idsOf(section);
      const box = this.#root.querySelector(`[data-queue="${section}"]`);
      const list = box.querySelector(".cards");
      // Leavers first: else everybody behind them would count as out of place.
      const members = new Set(ids);
      for (const element of [...list.children]) {
        if (!members.has(element.dataset.chat)) element.remove();
      }
      let slot = list.firstElementChild;
      ids.slice(0, SHOWN).forEach((chat, index) => {
        present.add(chat);
        const card = this.#cardFor(chat);
        card.section = section;
        card.key = section === "mine" && index < 9 ? index + 1 : 0;
        if (card.element === slot) slot = slot.nextElementSibling;
        else list.insertBefore(card.element, slot);
        this.#showCard(card);
      });
      const hidden = ids.length - Math.min(ids.length, SHOWN);
      box.querySelector(".count").textContent = ids.length
        ? `${ids.length}${hidden ? ` (first ${SHOWN} shown)` : ""}` : "";
      box.classList.toggle("is-empty", ids.length === 0);
      if (section === "closing") box.hidden = ids.length === 0;
    }
    for (const [chat, card] of this.#cards) {
      if (present.has(chat)) continue;
      card.element.remove();
      this.#cards.delete(chat);
    }
    this.#cards.get(this.#chosen)?.open.setAttribute("aria-current", "true");
    this.#moveTabStop();
    // A card that moved has lost the focus on its way.
    if (focused && !this.#root.contains(document.activeElement)) {
      const stop = this.#cards.get(focused)?.open ?? this.#root.querySelector(".card-open");
      (stop ?? document.getElementById("message-list")).focus({ preventScroll: true });
    }
    const chosen = this.#cards.get(this.#chosen);
    if (chosen && chosen.section !== chosenBefore) chosen.element.scrollIntoView({ block: "nearest" });
  }

  #cardFor(chat) {
    let card = this.#cards.get(chat);
    if (!card) {
      card = new QueueCard(this.#template, chat);
      this.#cards.set(chat, card);
    }
    return card;
  }

  #showCard(card) {
    const data = card && this.#store.cards.get(card.chat);
    if (!data) return;
    card.show({
      section: card.section,
      card: data,
      tone: this.#identity.toneOf(card.chat),
      key: card.key,
      unread: this.#store.unread.get(card.chat) ?? 0,
      undelivered: this.#store.undelivered.has(card.chat),
      returned: this.#store.returned.has(card.chat),
      mayClaim: this.#store.may("claim"),
      from: data.cameFrom && this.#store.peerName(data.cameFrom),
    });
    card.tick((at) => this.#clock.since(at));
  }

  #tick() {
    for (const card of this.#cards.values()) {
      if (card.section === "ringing") card.tick((at) => this.#clock.since(at));
    }
  }

  #moveTabStop() {
    const stop = this.#cards.get(this.#chosen)?.open ?? this.#root.querySelector(".card-open");
    for (const { open } of this.#cards.values()) open.tabIndex = open === stop ? 0 : -1;
  }
}
