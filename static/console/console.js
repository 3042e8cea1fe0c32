import { Alarm } from "./alarm.js";
import { AnnexFrame } from "./annex-frame.js";
import { CallDesk } from "./call-desk.js";
import { ChatStore } from "./chat-store.js";
import { CommandDesk } from "./command-desk.js";
import { Composer } from "./composer.js";
import { ConsoleSocket } from "./console-socket.js";
import { ConversationView } from "./conversation-view.js";
import { DraftShelf } from "./draft-shelf.js";
import { Identity } from "./identity.js";
import { Keyboard } from "./keyboard.js";
import { MapFrame } from "./map-frame.js";
import { Notices } from "./notices.js";
import { OpenChat } from "./open-chat.js";
import { Pace } from "./pace.js";
import { PendingClose } from "./pending-close.js";
import { PendingTexts } from "./pending-texts.js";
import { QueueView } from "./queue-view.js";
import { RecordShelf } from "./record-shelf.js";
import { ServerClock } from "./server-clock.js";
import { SoundControl } from "./sound-control.js";
import { StatusBar } from "./status-bar.js";
import { ThemeSwitch } from "./theme-switch.js";
import { clockTime, utcTime, zoneName } from "./time.js";
import { callerWord, deliveryWord, languageWord, serviceWord } from "./words.js";

const MEMBER_PACE = 100;
const RING_PACE = 2_500; // a screen reader is not cut short by every caller of a rush

/** The whole screen: builds its parts and carries what the server says to each of them. */
export class Console {
  #document;
  #caughtUp = false;

  constructor(document) {
    const settings = document.body.dataset;
    this.#document = document;
    this.socket = new ConsoleSocket(settings.socket);
    this.desk = new CommandDesk(this.socket);
    this.clock = new ServerClock();
    this.store = new ChatStore();
    this.records = new RecordShelf(settings.conversation, this.desk);
    this.drafts = new DraftShelf(settings.username);
    this.pending = new PendingTexts(this.desk, settings.username);
    this.notices = new Notices(document);
    this.alarm = new Alarm();
    const { clock, store, notices, alarm } = this;
    const identity = new Identity(store);
    const tiles = { url: settings.tileUrl, attribution: settings.tileAttribution };
    this.map = new MapFrame(document, {
      script: settings.leaflet, styles: settings.mapStyles.split(" "), outlineUrl: settings.outlineUrl, tiles,
    });
    this.annex = new AnnexFrame(document, this, identity);
    this.queue = new QueueView(document, { store, clock, identity });
    this.conversation = new ConversationView(document, { store, pending: this.pending });
    this.composer = new Composer(document, { drafts: this.drafts, identity });
    this.status = new StatusBar(document, { store, clock, alarm });
    this.sound = new SoundControl(document, { alarm, notices });
    this.closing = new PendingClose(notices);
    this.calls = new CallDesk(this);
    this.open = new OpenChat(document, this, identity);
    this.parts = [this.clock, this.alarm, this.map, this.annex, this.queue, this.conversation,
      this.composer, this.status, this.sound, this.calls, this.open, new ThemeSwitch(document), new Keyboard(this.#keys())];
  }

  connect() {
    for (const part of this.parts) part.connect();
    this.#listen();
    this.pending.connect();
    this.socket.connect();
  }

  #listen() {
    const { socket, store, calls, open, queue } = this;
    socket.addEventListener("message", ({ detail }) => this.#receive(detail));
    socket.addEventListener("down", ({ detail }) => this.#lost(detail));
    socket.addEventListener("expired", () => this.#logIn());
    socket.addEventListener("forbidden", () => location.reload()); // the page says why
    this.records.addEventListener("expired", () => this.#logIn());
    this.records.addEventListener("failed", ({ detail }) => {
      this.notices.warn(`Chat #${detail} cannot be shown to you.`);
    });
    const members = new Pace(MEMBER_PACE, () => this.#membersChanged());
    store.addEventListener("members", () => members.ask());
    queue.addEventListener("choose", ({ detail }) => open.choose(detail));
    queue.addEventListener("answer", ({ detail }) => calls.answer(detail));
    calls.addEventListener("answered", ({ detail }) => this.#answered(detail));
    const press = (id, act) => this.#document.getElementById(id).addEventListener("click", act);
    press("answer-longest", () => calls.answerLongest());
    press("accept-offer", () => this.#offers((desk) => desk.acceptOldest()));
    press("silence", () => this.alarm.silence());
    press("reconnect", () => socket.retryNow());
    press("help-open", () => this.#help());
    press("tests-open", async () => (await this.annex.ready()).tests.open());
    this.clock.addEventListener("tick", () => this.#showWallClock());
    this.#document.getElementById("logout-form").addEventListener("submit", (event) => this.#leave(event));
    this.#showWallClock();
  }

  #receive(envelope) {
    switch (envelope.ev) {
      case undefined: this.desk.receive(envelope); return;
      case "ping": this.clock.hear(envelope.at); return;
      case "snapshot": this.#takeSnapshot(envelope); return;
      case "signs": this.store.hearSigns(envelope.chats); return;
      case "offers": this.store.hearOffers(envelope); return;
      case "alarms": this.store.hearAlarms(envelope.alarms); return;
      default: this.#takeEvent(envelope);
    }
  }

  #takeEvent(event) {
    // The conversation first: a message is on screen before anything else is written.
    this.records.hear(event);
    const seen = this.open.chat === event.chat && this.#document.visibilityState === "visible";
    if (!this.store.hear(event, { seen })) return;
    if (event.message) this.pending.settle(event.chat, event.message, this.store.me.username);
    if (event.ev === "delivery-changed" && event.message) this.#sayTrouble(event, seen);
    if (event.ev.startsWith("redirect-") || event.ev === "chat-redirected") this.annex.sayRedirect(event);
    if (event.ev !== "message-received" || !event.message?.text) return;
    if (seen) this.notices.announce(`${callerWord(event.card)}: ${event.message.text}`);
    else if (this.store.isMine(event.card)) {
      this.notices.announce(`New message from #${event.chat} ${callerWord(event.card)}`);
    }
  }

  /** A text that did not arrive must not pass unnoticed, least of all in another chat. */
  #sayTrouble({ chat, card, message }, seen) {
    if (!this.store.isMine(card) || !["failed", "deferred"].includes(message.status)) return;
    const words = `#${chat} ${callerWord(card)}: your text is not delivered. ${deliveryWord(message).text}`;
    if (seen) this.notices.announceAtOnce(words);
    else this.notices.warn(words);
  }

  /** Show the answered chat, unless its call-taker has gone on with another one meanwhile. */
  #answered({ chat, askedAt }) {
    if (Math.max(this.composer.typedAt, this.open.chosenAt) <= askedAt) {
      this.open.choose(chat, { write: true });
      return;
    }
    const name = callerWord(this.store.cards.get(chat));
    this.notices.say(`#${chat} ${name} is your chat now. The chat that you went on with stays on screen.`);
  }

  async #takeSnapshot(snapshot) {
    const again = this.#caughtUp;
    this.clock.hear(snapshot.at);
    this.store.replace(snapshot, this.records.followed);
    this.#showMe();
    this.status.setLost(null);
    this.conversation.setConnected(true);
    this.open.refresh();
    this.desk.resume();
    await this.records.catchUpAll();
    this.#caughtUp = true;
    if (again) this.notices.say("Connected again, everything missed is shown.");
  }

  #lost(detail) {
    const first = this.#document.body.dataset.connection !== "lost";
    this.status.setLost(detail);
    this.alarm.ring(false, { anew: false });
    this.conversation.setConnected(false);
    if (!first) return;
    this.alarm.warn();
    this.notices.announceAtOnce(`Connection lost since ${clockTime(detail.since)}. What you see may be stale.`);
  }

  #ringing = new Set();
  #unsaid = new Set(); // began to ring and was not announced yet
  #saying = new Pace(RING_PACE, () => this.#sayRinging());

  #membersChanged() {
    const ringing = [...this.status.ringing(), ...this.store.offered.map(({ id }) => `offer ${id}`)];
    const anew = ringing.filter((chat) => !this.#ringing.has(chat));
    this.#ringing = new Set(ringing);
    this.alarm.ring(ringing.length > 0, { anew: anew.length > 0 });
    this.status.draw();
    for (const chat of anew) this.#unsaid.add(chat);
    if (anew.length) this.#saying.ask();
    const mine = this.store.idsOf("mine");
    for (const chat of mine) this.records.open(chat); // so that switching shows it at once
    this.records.trim(new Set([...mine, this.open.chat]));
    this.open.refresh();
  }

  #sayRinging() {
    // What is offered is said by its list.
    const ringing = [...this.#ringing].filter((chat) => this.store.cards.has(chat));
    const anew = ringing.filter((chat) => this.#unsaid.has(chat));
    this.#unsaid.clear();
    if (anew.length) this.notices.announceAtOnce(ringWords(anew, ringing.length, this.store));
  }

  #showMe() {
    const { me, psap } = this.store;
    this.#document.getElementById("psap-name").textContent = psap.name;
    this.#document.getElementById("my-name").textContent = me.name;
    this.#document.getElementById("my-roles").textContent = me.roles.join(", ");
  }

  #showWallClock() {
    const clock = this.#document.getElementById("wall-clock");
    const now = this.clock.now();
    clock.textContent = `${clockTime(now)} ${zoneName(now)}`;
    clock.title = utcTime(now);
  }

  #keys() {
    const { calls, open } = this;
    return {
      a: () => calls.answerLongest(),
      A: () => open.chat && calls.answer(open.chat),
      j: () => this.queue.step(1),
      k: () => this.queue.step(-1),
      w: () => this.composer.focus(),
      l: () => this.conversation.focus(),
      m: () => this.map.focus(),
      c: () => open.chat && calls.askToClose(open.chat),
      r: () => open.chat && calls.release(open.chat),
      d: () => open.askToPassOn(),
      o: () => this.#offers((desk) => desk.acceptOldest()),
      O: () => this.#offers((desk) => desk.declineOldest()),
      u: () => this.closing.undo(),
      s: () => this.alarm.silence(),
      "?": () => this.#help(),
      mine: (place) => open.chooseMine(place),
      leave: () => this.queue.focus() || this.conversation.focus(),
    };
  }

  async #offers(act) {
    act((await this.annex.ready()).offers);
  }

  #help() {
    this.#document.getElementById("help-dialog").showModal();
  }

  #logIn() {
    const { login } = this.#document.body.dataset;
    location.assign(`${login}?next=${encodeURIComponent(location.pathname)}`);
  }

  async #leave(event) {
    const mine = this.store.idsOf("mine").length;
    if (mine === 0) return;
    event.preventDefault();
    const form = event.target;
    const text = `You still have ${mine === 1 ? "1 chat" : `${mine} chats`}. They ring again for everybody.`;
    const { confirm } = await this.annex.ready();
    if (await confirm.ask({ title: "Log out?", text, verb: "Log out" })) form.submit();
  }
}

function ringWords(anew, waiting, store) {
  const card = store.cards.get(anew[0]);
  const first = [callerWord(card), serviceWord(card.service), languageWord(card.caller.language)];
  const head = anew.length > 1 ? `${anew.length} new chats ringing, the first` : "Ringing";
  return `${head}: ${first.filter(Boolean).join(", ")}. ${waiting} waiting. Control Enter answers.`;
}
