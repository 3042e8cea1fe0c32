import { needsClosing } from "./chat-store.js";
import { postalLine } from "./civic-address.js";
import { accuracy } from "./coordinates.js";
import { age, clockTime, utcTime } from "./time.js";
import { callerWord, isTest, languageWord, lifeWord, serviceWord } from "./words.js";

/** Steps of waiting: colour and word together, since colour alone reaches not everybody. */
const STEPS = [
  [20_000, "overdue", "over 20 s"],
  [15_000, "urgent", "over 15 s"],
  [10_000, "late", "over 10 s"],
  [0, "new", ""],
];

/** One chat in the queue. Writes only what changed: twenty of these may change in a second. */
export class QueueCard {
  #shown = {};

  /** @param {HTMLTemplateElement} template @param {string} chat */
  constructor(template, chat) {
    this.chat = chat;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.element.dataset.chat = chat;
    this.open = this.element.querySelector(".card-open");
    this.answer = this.element.querySelector(".card-answer");
    this.#parts = Object.fromEntries(
      ["name", "key", "test", "silent", "marks-of", "service", "language", "place", "preview", "age", "unread",
        "closing", "undelivered", "returned", "owner", "life"].map((part) => [part, this.element.querySelector(`.card-${part}`)]),
    );
    this.#set(this.element.querySelector(".chat-tag"), "tag", `#${chat}`);
  }

  #parts;

  /** @param {object} view {section, card, tone, key, unread, undelivered, returned, mayClaim, from} */
  show({ section, card, tone, key, unread, undelivered, returned, mayClaim, from }) {
    const { element } = this;
    const parts = this.#parts;
    this.card = card;
    this.section = section;
    if (this.#new("section", section)) element.dataset.section = section;
    if (this.#new("tone", tone)) element.dataset.tone = tone;
    this.#set(parts.name, "name", callerWord(card));
    this.#set(parts.key, "key", key ? `Alt+${key}` : "");
    if (this.#new("alert", Boolean(card.alert))) element.classList.toggle("is-data", Boolean(card.alert));
    parts.test.hidden = !(card.test || isTest(card.service));
    parts.silent.hidden = !card.silent;
    const marks = markWords(card, from);
    element.classList.toggle("is-uncertain", card.transfer?.state === "uncertain");
    if (this.#set(parts["marks-of"], "marks", marks)) parts["marks-of"].title = marks;
    this.#set(parts.service, "service", serviceWord(card.service));
    this.#set(parts.language, "language", languageWord(card.caller.language, { region: false }));
    this.#set(parts.place, "place", placeWords(card.fix));
    this.#set(parts.preview, "preview", card.preview || (card.alert ? "Data, nobody is writing" : ""));
    this.#set(parts.unread, "unread", unread ? `${unread} new` : "");
    parts.closing.hidden = !needsClosing(card);
    parts.undelivered.hidden = !undelivered;
    parts.returned.hidden = !returned;
    this.#set(parts.owner, "owner", section === "others" ? card.owner.name : "");
    this.#set(parts.life, "life", lifeWord(card));
    const liveness = card.standalone ? "none" : card.liveness;
    if (this.#new("liveness", liveness)) parts.life.dataset.liveness = liveness;
    const answerable = mayClaim && !card.owner;
    if (this.#new("answerable", answerable)) this.answer.hidden = !answerable;
    if (this.#new("rings", Boolean(card.ringingSince))) {
      this.answer.classList.toggle("ring", Boolean(card.ringingSince));
    }
    const verb = card.alert ? "Take" : needsClosing(card) && !card.ringingSince ? "Take over" : "Answer";
    this.#set(this.answer, "answer", verb);
    const label = `${verb} #${this.chat} ${callerWord(card)}`;
    if (this.#new("label", label)) this.answer.ariaLabel = label;
  }

  /** Let the age run. @param {(at: string) => number} since milliseconds since a server's time */
  tick(since) {
    const { card } = this;
    const element = this.#parts.age;
    if (this.section === "ringing" && card.ringingSince) {
      const waited = since(card.ringingSince);
      const [, step, word] = STEPS.find(([from]) => waited >= from) ?? STEPS.at(-1);
      if (this.#new("step", step)) this.element.dataset.step = step;
      // From a minute on the time says it by itself, and leaves the name its room.
      this.#set(element, "age", word && waited < 60_000 ? `${age(waited)} · ${word}` : age(waited));
      return;
    }
    if (this.#new("step", "")) delete this.element.dataset.step;
    const last = card.endedAt ?? card.lastCallerText ?? card.openedAt;
    if (this.#set(element, "age", last ? clockTime(last).slice(0, 5) : "") && last) {
      element.title = `${card.endedAt ? "Ended" : "Last text"} ${utcTime(last)}`;
    }
  }

  /** Whether `value` differs from what was last shown under `name`; remembers it. */
  #new(name, value) {
    if (this.#shown[name] === value) return false;
    this.#shown[name] = value;
    return true;
  }

  #set(element, name, text) {
    if (!this.#new(name, text)) return false;
    element.textContent = text;
    return true;
  }
}

/** Marks of a card that are no state of their own: short, since names need the room. */
function markWords({ unprotected, session, references, transfer }, from) {
  return [
    transfer?.state === "uncertain" ? "⚠ Custody uncertain" : GOING[session], from && `From ${from}`, references?.unlisted > 0 && "Fetch?",
    unprotected && "Unprotected",
  ].filter(Boolean).join(" · ");
}

const GOING = { redirecting: "Redirecting", transferring: "Transferring", arriving: "Arriving" };

/** Where a chat is, in a line: coordinates, else the address, else that neither is known. */
export function placeWords(fix) {
  if (!fix) return "No position yet";
  if (!Number.isFinite(fix.lat)) return postalLine(fix.civic) || "Address only";
  return `${fix.lat.toFixed(4)}, ${fix.lon.toFixed(4)} ${accuracy(fix)}`;
}
