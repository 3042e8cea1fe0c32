import { needsClosing } from "./chat-store.js";
import { lockReason } from "./composer.js";
import { keepingFocus } from "./focus.js";
import { callerWord, endedWord, SESSION } from "./words.js";

/** The chosen chat: keeps conversation, composer, caller and map on one and the same. */
export class OpenChat {
  chat = null;
  chosenAt = 0; // performance.now()
  #document;
  #console;
  #identity;
  #record = null;
  #shown = "";
  #off = null;

  constructor(document, console, identity) {
    this.#document = document;
    this.#console = console;
    this.#identity = identity;
  }

  connect() {
    const { calls, composer, conversation, annex, pending, closing, store } = this.#console;
    const press = (id, act) => this.#document.getElementById(id).addEventListener("click", act);
    press("answer-this", () => calls.answer(this.chat));
    press("release-this", () => calls.release(this.chat));
    press("close-this", () => calls.askToClose(this.chat));
    press("pass-on-this", () => this.askToPassOn());
    composer.addEventListener("send", ({ detail }) => pending.add(detail.chat, detail.text));
    conversation.addEventListener("show-fix", async ({ detail }) => (await annex.ready()).chooseFix(detail));
    conversation.addEventListener("take-back", ({ detail }) => pending.takeBack(detail));
    conversation.addEventListener("send-again", ({ detail }) => pending.add(this.chat, detail.text));
    closing.addEventListener("changed", ({ detail }) => detail === this.chat && this.refresh());
    store.addEventListener("card", ({ detail }) => detail === this.chat && this.refresh());
    pending.addEventListener("returned", ({ detail }) => this.#returned(detail));
    pending.addEventListener("confirmed", ({ detail }) => {
      if (this.#record?.chat === detail.chat && this.#record.messages.has(detail.messageId)) {
        pending.drop(detail.id);
      }
    });
    this.#document.addEventListener("visibilitychange", () => this.#markSeen());
  }

  /** Show a chat on all panes. */
  choose(chat, { write = false } = {}) {
    const { records, conversation, annex, composer, queue } = this.#console;
    if (chat !== this.chat) {
      this.#off?.abort();
      this.#off = new AbortController();
      this.chat = chat;
      this.chosenAt = performance.now();
      this.#record = records.open(chat);
      const { signal } = this.#off;
      for (const name of ["refilled", "fixes"]) {
        this.#record.addEventListener(name, () => annex.showFixes(this.#record), { signal });
      }
      for (const name of ["refilled", "additional", "supplement"]) {
        this.#record.addEventListener(name, () => this.refresh(), { signal });
      }
      conversation.bind(this.#record);
      annex.showFixes(this.#record);
      this.refresh();
    }
    queue.choose(chat);
    this.#markSeen();
    if (write) composer.focus();
  }

  /** Choose the n-th chat of mine, counted from 1, ready to write. */
  chooseMine(place) {
    const chat = this.#console.store.idsOf("mine")[place - 1];
    if (chat) this.choose(chat, { write: true });
  }

  /** Bring heads, buttons, composer and caller in line with the chat's card. */
  refresh() {
    const { store, composer, annex, closing } = this.#console;
    const card = this.chat && (store.cards.get(this.chat) ?? this.#record?.card);
    const byId = (id) => this.#document.getElementById(id);
    byId("conversation-empty").hidden = Boolean(this.chat);
    if (!card) {
      // Nothing is known of it yet: at least nothing of the chat before may stay in its place.
      this.#shown = "";
      composer.bind(null);
      annex.show(null, null);
      for (const id of ["answer-this", "pass-on-this", "release-this", "close-this"]) byId(id).hidden = true;
      byId("conversation-title").textContent = this.chat ? `#${this.chat}` : "No chat chosen";
      byId("conversation-state").textContent = "";
      return;
    }
    annex.show(card, this.#record);
    // A message changes none of what follows, and there may be a hundred in a second.
    const { chat, caller: who, owner, session, endedBy, disposition, goneTo, transfer } = card;
    const may = store.me.commands;
    const shown = JSON.stringify([chat, who, owner, session, endedBy, disposition, goneTo, transfer?.state, may, closing.has(chat), store.peers]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#identity.dress(byId("conversation"), card);
    byId("conversation-title").textContent = callerWord(card);
    byId("conversation-state").textContent = stateWords(card, store);
    const mine = store.isMine(card);
    const leaving = session === "transferring"; // soon ours again or gone
    const closable = (mine || (!card.owner && needsClosing(card))) && !card.disposition && !closing.has(this.chat);
    byId("close-this").classList.toggle("primary", needsClosing(card));
    keepingFocus(() => {
      byId("answer-this").hidden = Boolean(card.owner || card.disposition) || !store.may("claim");
      byId("release-this").hidden = !mine || leaving || Boolean(card.disposition) || !store.may("release") || closing.has(this.chat);
      byId("pass-on-this").hidden = !this.#passable(card);
      byId("close-this").hidden = !closable || leaving || !store.may("close");
      composer.bind(card);
      composer.update(card, lockReason(card, store, closing.has(this.chat)));
    }, () => byId("message-list"));
  }

  /** Ask whom to pass the chosen chat on to. */
  async askToPassOn() {
    const { store, annex, notices } = this.#console;
    const card = store.cards.get(this.chat);
    if (this.#passable(card)) (await annex.ready()).askToPassOn(card);
    else if (card) notices.say(store.peers.length ? "Only an open chat of yours can be passed on." : "There is no other control room to pass a chat on to.");
  }

  #passable(card) {
    const { store, closing } = this.#console;
    return store.isMine(card) && card.session === "open" && !card.alert && !card.standalone && !card.disposition
      && store.peers.length > 0 && store.may("redirect") && !closing.has(card.chat)
      && !["negotiating", "accepted"].includes(card.transfer?.state);
  }

  #markSeen() {
    if (this.chat && this.#document.visibilityState === "visible") {
      this.#console.store.markSeen(this.chat);
    }
  }

  #returned({ chat, text, reason }) {
    const { composer, notices } = this.#console;
    composer.giveBack(chat, text);
    if (reason) notices.warn(`#${chat}: not sent. ${reason} The text is back in the editor.`);
  }
}

function sessionWords(card, store) {
  const { session, endedBy } = card;
  if (session === "open") return "";
  if (session === "stopped") return endedWord(endedBy);
  return `${SESSION[session]} ${session === "arriving" ? "by" : "to"} ${store.otherName(card)}`;
}

function stateWords(card, store) {
  const mark = sessionWords(card, store);
  if (card.disposition) {
    const label = store.psap.dispositions.find((one) => one.value === card.disposition)?.label;
    return `Closed: ${label ?? card.disposition}`;
  }
  const owner = store.isMine(card) ? "Your chat" : card.owner ? `With ${card.owner.name}` : "Unanswered";
  return [owner, mark].filter(Boolean).join(" · ");
}
