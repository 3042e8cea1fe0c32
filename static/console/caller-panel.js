import { age, clockTime, utcTime } from "./time.js";
import { callerWord, isTest, languageWord, LIVENESS, numberWord, serviceWord } from "./words.js";

const LABELS = { name: "Name", phone: "Phone", email: "E-mail", address: "Address", gender: "Gender",
  birthday: "Born", language: "Language", note: "Note", related: "Contact" };

const BLOCKS = { SubscriberInfo: "subscriber" };

/** Who the caller is and how alive the chat is: facts, additional data, three clocks. */
export class CallerPanel {
  #root;
  #body;
  #facts;
  #clocks;
  #identity;
  #clock;
  #card = null;
  #shownFacts = "";
  #lostAfter;

  constructor(document, { identity, clock, lostAfter }) {
    this.#root = document.getElementById("caller");
    this.#body = document.getElementById("caller-body");
    this.#facts = document.getElementById("caller-facts");
    this.#clocks = Object.fromEntries(
      ["life", "text", "delivered"].map((name) => [name, document.getElementById(`clock-${name}`)]),
    );
    this.#identity = identity;
    this.#clock = clock;
    this.#lostAfter = lostAfter;
  }

  connect() {
    this.#clock.addEventListener("tick", () => this.tick());
  }

  /** @param {object|null} card @param {object[]} additional blocks of additional data */
  show(card, additional) {
    const another = card?.chat !== this.#card?.chat;
    this.#card = card;
    this.#body.hidden = !card;
    if (!card) return;
    const { caller, service, linkedTo, standalone, recovered } = card;
    const tone = this.#identity.toneOf(card.chat);
    const facts = JSON.stringify([card.chat, tone, caller, service, linkedTo, standalone, recovered, additional.length]);
    if (facts !== this.#shownFacts) {
      this.#shownFacts = facts;
      this.#identity.dress(this.#root, card);
      this.#root.querySelector(".identity-name").textContent = callerWord(card);
      this.#facts.replaceChildren(...rowsOf(card, additional));
    }
    // Otherwise the clocks' own second is soon enough.
    if (another) this.tick();
  }

  /** Let the three clocks run. */
  tick() {
    const card = this.#card;
    if (!card) return;
    const lostAfter = this.#lostAfter() * 1000;
    const life = this.#clock.since(card.lastSignOfLife);
    const over = card.session !== "open" || card.standalone;
    const mark = over ? "over" : card.liveness === "alive" && life > lostAfter / 2 ? "late" : card.liveness;
    this.#run("life", card.lastSignOfLife, mark, over ? "" : LIVENESS[card.liveness]);
    this.#run("text", card.lastCallerText, "", "");
    this.#run("delivered", card.lastDelivered, "", "");
  }

  #run(name, at, mark, words) {
    const box = this.#clocks[name];
    const value = box.querySelector("dd");
    const text = at ? age(this.#clock.since(at)) : "never";
    if (value.firstChild?.textContent !== text || value.dataset.words !== words) {
      const note = document.createElement("small");
      note.textContent = words || (at ? clockTime(at) : "");
      value.replaceChildren(text, note);
      value.dataset.words = words;
      value.title = at ? utcTime(at) : "";
    }
    box.dataset.mark = mark;
  }
}

function rowsOf(card, additional) {
  const { caller } = card;
  const rows = [
    row("Number", numberWord(caller.uri), caller.asserted
      ? ["Asserted by the network", "sure"] : ["Only claimed by the phone", "unsure"]),
    row("Language", languageWord(caller.language) || "Not stated"),
    row("Service", serviceWord(card.service), isTest(card.service) ? ["Test call", "test"] : null),
  ];
  if (card.linkedTo) rows.push(row("Linked", `Same call identifier as #${card.linkedTo}, another caller`));
  if (card.standalone) rows.push(row("Kind", "Single message outside any chat"));
  else if (card.recovered) rows.push(row("Kind", "Joined in the middle of a chat"));
  for (const block of additional) {
    rows.push(heading(`From the app: ${BLOCKS[block.kind] ?? block.kind}`));
    for (const [key, value] of Object.entries(block)) {
      if (key === "kind" || key === "messageId" || value === "" || value === null) continue;
      rows.push(row(LABELS[key] ?? key, key === "language" ? languageWord(value) : wordsOf(value)));
    }
  }
  return rows;
}

function heading(text) {
  const box = document.createElement("div");
  box.className = "facts-heading";
  const term = document.createElement("dt");
  term.textContent = text;
  box.append(term);
  return box;
}

function wordsOf(value) {
  if (Array.isArray(value)) return value.map(wordsOf).join(", ");
  if (value && typeof value === "object") return Object.values(value).filter(Boolean).map(wordsOf).join(", ");
  return String(value);
}

function row(label, text, badge = null) {
  const box = document.createElement("div");
  const term = document.createElement("dt");
  term.textContent = label;
  const value = document.createElement("dd");
  const words = document.createElement("bdi");
  words.textContent = text;
  value.append(words);
  if (badge) {
    const mark = document.createElement("span");
    mark.className = `badge ${badge[1]}`;
    mark.textContent = badge[0];
    value.append(" ", mark);
  }
  box.append(term, value);
  return box;
}
