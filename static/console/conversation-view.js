import { attachmentsOf, eventWords, isSeldom, wordlessWords } from "./event-words.js";
import { keepingFocus } from "./focus.js";
import { MessageView } from "./message-view.js";
import { Pace } from "./pace.js";
import { dayKey, dayName, showTime } from "./time.js";
import { callerWord, languageTag, relayWords } from "./words.js";

const SHOWN = 200;
const SCROLL_PACE = 120;
const NEAR = 48; // pixels from the end that still count as reading along

/**
 * The conversation of the chosen chat. A message is in the document before its event's handler
 * returns; scrolling follows. Emits "show-fix" (detail: message id),
 * "send-again" (detail: message), "take-back" (detail: pending id).
 */
export class ConversationView extends EventTarget {
  #store;
  #pending;
  #list;
  #jump;
  #template;
  #record = null;
  #views = new Map();
  #pendingViews = [];
  #lastDay = "";
  #following = true;
  #scroll = new Pace(SCROLL_PACE, () => this.#scrollToEnd());
  #unseen = 0;
  #limit = SHOWN;
  #connected = false;
  #off = null;

  constructor(document, { store, pending }) {
    super();
    this.#store = store;
    this.#pending = pending;
    this.#list = document.getElementById("message-list");
    this.#jump = document.getElementById("jump-to-latest");
    this.#template = document.getElementById("message-template");
  }

  connect() {
    this.#list.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    this.#jump.addEventListener("click", () => {
      this.jumpToLatest();
      this.focus(); // the button is about to go
    });
    this.#list.addEventListener("grown", () => this.#keepUp(false)); // what came later than its message
    new ResizeObserver(() => this.#following && this.#scroll.ask()).observe(this.#list);
    this.#pending.addEventListener("changed", ({ detail }) => {
      if (detail === this.#record?.chat) this.#showPending();
    });
  }

  /** Show a chat's record, or nothing. */
  bind(record) {
    this.#off?.abort();
    this.#record = record;
    this.#following = true;
    this.#limit = SHOWN;
    if (!record) {
      this.#clear();
      return;
    }
    this.#off = new AbortController();
    const { signal } = this.#off;
    const on = (name, handle) => record.addEventListener(name, handle, { signal });
    on("refilled", () => this.#fill());
    on("message", ({ detail }) => this.#addMessage(detail));
    on("message-changed", ({ detail }) => this.#changeMessage(detail));
    on("event", ({ detail }) => {
      this.#addEvent(detail);
      // What could not be shown can be now.
      if (detail.kind === "attachment-fetched") keepingFocus(() => this.#fill(), () => this.#list);
    });
    on("supplement", () => this.#showPassing());
    on("additional", () => record.card.alert && this.#fill());
    this.#fill();
  }

  setConnected(connected) {
    this.#connected = connected;
    this.#showPending();
  }

  focus() {
    this.#list.focus({ preventScroll: true });
  }

  jumpToLatest() {
    this.#following = true;
    this.#scroll.ask();
  }

  /** Bring a message into view and mark it shortly. */
  reveal(messageId) {
    const element = this.#list.querySelector(`[data-message-id="${CSS.escape(messageId)}"]`);
    if (!element) return;
    this.#following = false;
    element.scrollIntoView({ block: "center" });
    element.classList.remove("revealed");
    requestAnimationFrame(() => element.classList.add("revealed"));
  }

  #clear() {
    this.#views.clear();
    this.#pendingViews = [];
    this.#lastDay = "";
    this.#unseen = 0;
    this.#list.replaceChildren();
    this.#showJump();
  }

  #fill() {
    this.#clear();
    const record = this.#record;
    this.#list.ariaBusy = String(!record.loaded);
    if (!record.loaded) return;
    // A chat that was taken over began elsewhere; its handing over says the rest.
    const taken = record.events.some(({ kind }) => kind === "chat-arriving");
    const items = [
      ...record.events.filter(({ kind }) => !taken || kind !== "chat-opened")
        .map((event) => ({ at: event.at, event, rank: event.kind === "chat-opened" ? 0 : 2 })),
      ...[...record.messages.values()].map((message) => ({ at: message.at, message, rank: 1 })),
    ];
    const openedAt = record.card.openedAt;
    const time = (item) => Date.parse(item.rank === 0 ? openedAt : item.at);
    items.sort((a, b) => time(a) - time(b) || a.rank - b.rank);
    if (items.length > this.#limit) {
      items.splice(0, items.length - this.#limit);
      this.#list.append(earlierLine());
    }
    for (const item of items) {
      if (item.message) this.#addMessage(item.message, false);
      else this.#addEvent(item.event);
    }
    this.#showPending();
    this.jumpToLatest();
  }

  #addMessage(message, live = true) {
    const record = this.#record;
    if (record.card.alert) this.#addData(message);
    const fixes = this.#fixesOf(message);
    if (!message.text && attachmentsOf(message).length === 0) {
      const words = wordlessWords(message, fixes, record.card);
      if (words && fixes.length) this.#addPosition(message, words);
      else if (words) this.#addLine(message.at, words);
      return;
    }
    this.#separateDay(message.at);
    const view = new MessageView(this.#template);
    view.show(record.chat, message, this.#around(message));
    this.#views.set(message.id, view);
    this.#append(view.element);
    if (live) this.#keepUp(message.direction === "in");
  }

  #changeMessage(message) {
    this.#views.get(message.id)?.show(this.#record.chat, message, this.#around(message));
  }

  /** What a message does not say itself. */
  #around(message) {
    return {
      author: this.#authorOf(message),
      language: this.#languageOf(message),
      located: this.#fixesOf(message).length > 0,
      passedOn: relayWords(this.#record.relays.get(message.id), (uri) => this.#peerName(uri)),
      elsewhere: message.psap ? this.#peerName(message.psap) : "",
    };
  }

  #peerName(uri) {
    return this.#store.peerName(uri, this.#record.psaps);
  }

  #fixesOf(message) {
    return this.#record.fixes.filter((fix) => fix.messageId === message.id);
  }

  #showPassing() {
    for (const id of this.#record.relays.keys()) {
      const message = this.#record.messages.get(id);
      if (message) this.#changeMessage(message);
    }
  }

  /** What a machine sent is read in the place of words. */
  async #addData(message) {
    const blocks = this.#record.additional.filter((block) => block.messageId === message.id);
    if (blocks.length === 0) return;
    const item = document.createElement("li");
    item.className = "data-item";
    this.#append(item);
    const { dataView } = await import("./data-view.js");
    item.append(...blocks.map((block) => dataView(block, { folded: isRepeated(block, blocks) })));
    this.#keepUp(false);
  }

  #addEvent(event) {
    const store = this.#store;
    const nameOf = (name) => store.nameOf(name);
    const peerName = (uri) => this.#peerName(uri);
    const { transfers } = this.#record;
    if (isSeldom(event)) {
      const line = this.#addLine(event.at, "", null, event.kind);
      import("./seldom-words.js").then(({ seldomWords }) => {
        const words = seldomWords(event, nameOf, peerName, transfers);
        if (words) line.firstElementChild.textContent = words;
        else line.remove();
        this.#keepUp(false);
      });
      return;
    }
    const words = eventWords(event, nameOf, store.psap, peerName);
    if (words) this.#addLine(event.at, words, null, event.kind);
  }

  #addLine(at, words, messageId = null, kind = "") {
    this.#separateDay(at);
    const item = document.createElement("li");
    item.className = "event-line";
    item.dataset.kind = kind;
    const text = document.createElement("span");
    text.textContent = words;
    const time = document.createElement("time");
    showTime(time, at);
    item.append(text, time);
    if (messageId) {
      const show = document.createElement("button");
      show.type = "button";
      show.className = "link message-place";
      show.textContent = "Show position";
      item.dataset.messageId = messageId;
      item.append(show);
    }
    this.#append(item);
    this.#keepUp(false);
    return item;
  }

  /** A phone that moves reports with each heartbeat: one line for as long as nothing else happens. */
  #addPosition(message, words) {
    const last = (this.#pendingViews[0] ?? null)?.previousElementSibling ?? this.#list.lastElementChild;
    if (last?.dataset.kind !== "positions" || dayKey(message.at) !== this.#lastDay) {
      this.#addLine(message.at, words, message.id, "positions");
      return;
    }
    const count = Number(last.dataset.count ?? 1) + 1;
    last.dataset.count = count;
    last.dataset.messageId = message.id;
    last.firstElementChild.textContent = `${count} new positions from the phone`;
    showTime(last.querySelector("time"), message.at);
  }

  #separateDay(at) {
    const day = dayKey(at);
    if (day === this.#lastDay) return;
    this.#lastDay = day;
    const item = document.createElement("li");
    item.className = "day-line";
    item.textContent = dayName(at);
    this.#append(item);
  }

  #append(element) {
    // Unconfirmed texts stay last: they have no place in the record yet.
    this.#list.insertBefore(element, this.#pendingViews[0] ?? null);
    if (this.#following && this.#list.childElementCount > this.#limit * 2) {
      while (this.#list.childElementCount > this.#limit) {
        this.#views.delete(this.#list.firstElementChild.dataset.messageId);
        this.#list.firstElementChild.remove();
      }
      this.#list.prepend(earlierLine());
    }
  }

  #showPending() {
    const entries = this.#record ? this.#pending.of(this.#record.chat) : [];
    for (const element of this.#pendingViews) element.remove();
    this.#pendingViews = entries
      .filter((entry) => !entry.messageId || !this.#record.messages.has(entry.messageId))
      .map((entry) => {
        const view = new MessageView(this.#template);
        view.showPending(entry, this.#store.me.name, this.#connected);
        return view.element;
      });
    this.#list.append(...this.#pendingViews);
    if (this.#pendingViews.length) this.jumpToLatest();
  }

  #authorOf(message) {
    if (message.direction === "in") return callerWord(this.#record.card);
    if (!message.psap) return message.author?.name ?? "Automatic";
    return `${message.role === "system" ? "Automatic" : "Call-taker"} at ${this.#peerName(message.psap)}`;
  }

  /** What the caller prefers to read is most likely what the caller writes. */
  #languageOf(message) {
    return message.direction === "in" ? languageTag(this.#record.card.caller.language) : "";
  }

  #keepUp(counts) {
    if (this.#following) {
      this.#scroll.ask();
    } else if (counts) {
      this.#unseen += 1;
      this.#showJump();
    }
  }

  /** In a flood a few times a second only, since each repaints the whole pane. */
  #scrollToEnd() {
    if (!this.#following) return;
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#unseen = 0;
    this.#showJump();
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#list;
    const near = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.#scroll.asked && this.#following) return;
    this.#following = near;
    if (near) this.#unseen = 0;
    this.#showJump();
  }

  #showJump() {
    this.#jump.hidden = this.#following;
    this.#jump.textContent = this.#unseen ? `${this.#unseen} new, jump to latest` : "Jump to latest";
  }

  #clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.matches(".show-earlier")) {
      this.#limit *= 4;
      keepingFocus(() => this.#fill(), () => this.#list);
      this.#following = false;
      this.#list.scrollTop = 0;
      return;
    }
    const { messageId } = button.closest("li").dataset;
    if (button.matches(".message-place")) this.#emit("show-fix", messageId);
    else if (button.dataset.takeBack) this.#emit("take-back", button.dataset.takeBack);
    else if (button.dataset.sendAgain) {
      this.#emit("send-again", this.#record.messages.get(button.dataset.sendAgain));
    }
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** Whether a block says again, in another language, what one before it has said (CAP). */
function isRepeated(block, blocks) {
  return Boolean(block.identifier) && blocks.find((one) => one.identifier === block.identifier) !== block;
}

function earlierLine() {
  const item = document.createElement("li");
  item.className = "day-line";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button small show-earlier";
  button.textContent = "Show earlier messages";
  item.append(button);
  return item;
}
