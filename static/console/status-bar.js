import { keepingFocus } from "./focus.js";
import { age, clockTime, utcTime } from "./time.js";

/**
 * The one line across the screen: who rings, or that nobody does, or that the connection is
 * lost. Always there and always as high, so that nothing moves when somebody rings.
 */
export class StatusBar {
  #bar;
  #text;
  #answer;
  #accept;
  #silence;
  #reconnect;
  #favicon;
  #icons;
  #store;
  #clock;
  #alarm;
  #lost = null;
  #ready = false;

  constructor(document, { store, clock, alarm }) {
    this.#bar = document.getElementById("statusbar");
    this.#text = document.getElementById("status-text");
    this.#answer = document.getElementById("answer-longest");
    this.#accept = document.getElementById("accept-offer");
    this.#silence = document.getElementById("silence");
    this.#reconnect = document.getElementById("reconnect");
    this.#favicon = document.getElementById("favicon");
    const { favicon, faviconRinging } = document.body.dataset;
    this.#icons = { quiet: favicon, ringing: faviconRinging };
    this.#store = store;
    this.#clock = clock;
    this.#alarm = alarm;
  }

  connect() {
    this.#clock.addEventListener("tick", () => {
      this.#bar.dataset.pulse = this.#bar.dataset.pulse === "on" ? "off" : "on";
      this.draw();
    });
    this.#alarm.addEventListener("change", () => this.draw());
  }

  /** @param {{since: number, retryAt: number}|null} lost */
  setLost(lost) {
    this.#lost = lost;
    if (!lost) this.#ready = true;
    this.draw();
  }

  /** Ids of the chats that ring, longest waiting first. */
  ringing() {
    return this.#store.idsOf("ringing").filter((chat) => this.#store.cards.get(chat).ringingSince);
  }

  draw() {
    const ringing = this.ringing();
    const offers = this.#store.offered;
    const count = ringing.length + offers.length;
    const state = this.#lost ? "lost" : !this.#ready ? "connecting" : count ? "ringing" : "idle";
    this.#bar.dataset.state = state;
    document.body.dataset.connection = this.#lost ? "lost" : "live";
    this.#write(WORDS[state].call(this, ringing, offers));
    this.#text.title = this.#lost ? utcTime(this.#lost.since) : "";
    keepingFocus(() => {
      this.#answer.hidden = state !== "ringing" || !ringing.length || !this.#store.may("claim");
      this.#accept.hidden = state !== "ringing" || !offers.length || !this.#store.may("accept-offer");
      this.#silence.hidden = state !== "ringing" || this.#alarm.silenced || this.#alarm.state !== "on";
      this.#reconnect.hidden = state !== "lost";
    }, () => [this.#answer, this.#accept].find(({ hidden }) => !hidden) ?? document.getElementById("message-list"));
    const title = { lost: "No connection – Leitstand", ringing: `(${count}) ringing – Leitstand` };
    const wanted = title[state] ?? "Leitstand";
    if (document.title !== wanted) document.title = wanted;
    const icon = state === "ringing" ? this.#icons.ringing : this.#icons.quiet;
    if (this.#favicon.getAttribute("href") !== icon) this.#favicon.setAttribute("href", icon);
  }

  longestWait(ringing) {
    return this.since(this.#store.cards.get(ringing[0]).ringingSince);
  }

  since(at) {
    return this.#clock.since(at);
  }

  lostWords() {
    const wait = Math.ceil((this.#lost.retryAt - Date.now()) / 1000);
    const next = wait > 0 ? `Trying again in ${wait} s.` : "Trying to connect.";
    return `Connection lost since ${clockTime(this.#lost.since)}, what you see may be stale. ${next}`;
  }

  mineWords() {
    const mine = this.#store.idsOf("mine").length;
    return mine === 1 ? "You have 1 chat." : mine ? `You have ${mine} chats.` : "";
  }

  #write(text) {
    if (this.#text.textContent !== text) this.#text.textContent = text;
  }
}

const WORDS = {
  connecting: () => "Connecting…",
  idle() { return `Nobody is waiting. ${this.mineWords()}`; },
  lost() { return this.lostWords(); },
  ringing(ringing, offers) {
    const words = [];
    const many = ringing.length === 1 ? "1 chat is ringing" : `${ringing.length} chats are ringing`;
    if (ringing.length) words.push(`${many}, ${ringing.length === 1 ? "waiting" : "longest waiting"} ${age(this.longestWait(ringing))}`);
    const [first, ...more] = offers;
    if (first && (more.length || ringing.length)) words.push(`${offers.length === 1 ? "1 chat" : `${offers.length} chats`} offered by control rooms`);
    else if (first) words.push(`${first.peer} offers a chat, ${age(-this.since(first.dueAt))} to answer`);
    return words.join(" · ");
  },
};
