import { keepingFocus } from "./focus.js";
import { age, utcTime } from "./time.js";
import { countdown } from "./transfer-words.js";

/**
 * The top of the queue: chats that other control rooms hand over to us. They ring until somebody
 * answers, then they are on their way. Emits "accept", "decline" (detail: id of the offer).
 */
export class OfferList extends EventTarget {
  #box;
  #list;
  #count;
  #template;
  #store;
  #clock;
  #items = new Map(); // id to {element, parts, offer, shown}

  constructor(document, { store, clock }) {
    super();
    this.#box = document.getElementById("offers");
    this.#list = this.#box.querySelector("ol");
    this.#count = this.#box.querySelector(".count");
    this.#template = document.getElementById("offer-template");
    this.#store = store;
    this.#clock = clock;
  }

  connect() {
    this.#store.addEventListener("offers", () => this.show());
    this.#clock.addEventListener("tick", () => this.#tick());
    this.#list.addEventListener("click", ({ target }) => {
      const id = target.closest("[data-offer]")?.dataset.offer;
      if (target.closest(".offer-accept")) this.#emit("accept", id);
      else if (target.closest(".offer-decline")) this.#emit("decline", id);
    });
    this.show();
  }

  show() {
    const { offered, offers } = this.#store;
    const wanted = [...offered, ...offers.filter((offer) => offer.state !== "offered")];
    keepingFocus(() => {
      this.#box.hidden = wanted.length === 0;
      const present = new Set(wanted.map(({ id }) => id));
      for (const [id, { element }] of this.#items) {
        if (present.has(id)) continue;
        element.remove();
        this.#items.delete(id);
      }
      wanted.forEach((offer, at) => {
        const item = this.#itemFor(offer.id);
        this.#draw(item, offer);
        if (this.#list.children[at] !== item.element) this.#list.insertBefore(item.element, this.#list.children[at] ?? null);
      });
    }, () => document.getElementById("message-list"));
    this.#box.classList.toggle("is-ringing", offered.length > 0);
    this.#count.textContent = String(wanted.length);
    this.#tick();
  }

  #itemFor(id) {
    let item = this.#items.get(id);
    if (!item) {
      const element = this.#template.content.firstElementChild.cloneNode(true);
      const names = ["peer", "age", "reason", "until", "answer", "accept", "decline"];
      item = { element, parts: Object.fromEntries(names.map((name) => [name, element.querySelector(`.offer-${name}`)])) };
      element.dataset.offer = id;
      this.#items.set(id, item);
    }
    return item;
  }

  #draw(item, offer) {
    const { element, parts } = item;
    const rings = offer.state === "offered";
    item.offer = offer;
    element.dataset.state = offer.state;
    element.title = offer.callId;
    parts.peer.textContent = rings ? offer.peer : `Coming from ${offer.peer}`;
    parts.reason.textContent = offer.reason || "No reason given";
    parts.reason.classList.toggle("muted", !offer.reason);
    parts.answer.hidden = !rings;
    parts.accept.hidden = !this.#store.may("accept-offer");
    parts.decline.hidden = !this.#store.may("decline-offer");
    parts.accept.ariaLabel = `Accept the chat of ${offer.peer}`;
    parts.decline.ariaLabel = `Decline the chat of ${offer.peer}`;
    const first = rings && this.#store.offered[0].id === offer.id;
    for (const key of element.querySelectorAll("kbd")) key.hidden = !first;
    parts.age.title = `Asked ${utcTime(offer.requestedAt)}`;
  }

  #tick() {
    for (const { parts, offer } of this.#items.values()) {
      this.#write(parts.age, age(this.#clock.since(offer.requestedAt)));
      this.#write(parts.until, this.#untilWords(offer));
    }
  }

  #untilWords({ state, dueAt, by, automatic }) {
    const left = dueAt ? -this.#clock.since(dueAt) : 0;
    if (state === "offered") return countdown("Declined by itself in", left);
    const mine = by?.username === this.#store.me.username;
    const who = automatic ? "Accepted by rule" : mine ? "Accepted by you" : by ? `Accepted by ${by.name}` : "Accepted";
    return `${who} · ${state === "executing" ? "arriving, " : ""}${countdown("within", left)}`;
  }

  #write(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
