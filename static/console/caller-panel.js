import { describe } from "./data-blocks.js";
import { dataView } from "./data-view.js";
import { factHeading, factList, factRow } from "./facts.js";
import { signallingRows, stations } from "./signalling-facts.js";
import { age, clockTime, utcTime } from "./time.js";
import { callerWord, isTest, languageWord, LIVENESS, numberWord, serviceWord } from "./words.js";

/** Who the caller is and how alive the chat is: facts, additional data, three clocks. */
export class CallerPanel {
  #root;
  #body;
  #facts;
  #more;
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
    this.#more = document.getElementById("caller-more");
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

  /**
   * @param {object|null} card @param {object[]} additional blocks of additional data
   * @param {object} signalling what the SIP headers say besides
   */
  show(card, additional, signalling) {
    const another = card?.chat !== this.#card?.chat;
    this.#card = card;
    this.#body.hidden = !card;
    if (!card) return;
    const { caller, service, linkedTo, standalone, recovered, alert, test } = card;
    const tone = this.#identity.toneOf(card.chat);
    const facts = JSON.stringify([card.chat, tone, caller, service, linkedTo, standalone, recovered, alert, test,
      additional.length, signalling]);
    if (facts !== this.#shownFacts) {
      this.#shownFacts = facts;
      this.#identity.dress(this.#root, card);
      this.#root.querySelector(".identity-name").textContent = callerWord(card);
      this.#facts.replaceChildren(...rowsOf(card, additional, signalling));
      this.#showMore(card, additional, signalling);
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

  /** Blocks beside the subscriber's, and the technical rest; what was unfolded stays so. */
  #showMore(card, additional, signalling) {
    const open = new Set([...this.#more.querySelectorAll("details[open]")].map((one) => one.dataset.title));
    // An alert's data stands in the conversation: it is what the chat is about.
    const blocks = card.alert ? [] : additional.filter((block) => block.kind !== "SubscriberInfo");
    const views = blocks.map((block) => dataView(block));
    const rows = signallingRows(signalling);
    if (rows.length) views.push(technical(rows));
    for (const view of views) if (open.has(view.dataset.title)) view.open = true;
    this.#more.replaceChildren(...views);
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

function rowsOf(card, additional, signalling) {
  const { caller } = card;
  const rows = [
    factRow("Number", numberWord(caller.uri), caller.asserted
      ? ["Asserted by the network", "sure"] : [card.alert ? "Only claimed" : "Only claimed by the phone", "unsure"]),
    factRow("Language", languageWord(caller.language) || "Not stated"),
    factRow("Service", serviceWord(card.service), card.test || isTest(card.service) ? ["Test call", "test"] : null),
  ];
  if (card.linkedTo) rows.push(factRow("Linked", `Same call identifier as #${card.linkedTo}, another caller`));
  if (card.alert) rows.push(factRow("Kind", "Data from a machine, outside any chat"));
  else if (card.standalone) rows.push(factRow("Kind", "Single message outside any chat"));
  else if (card.recovered) rows.push(factRow("Kind", "Joined in the middle of a chat"));
  for (const block of additional.filter(({ kind }) => kind === "SubscriberInfo")) {
    rows.push(factHeading("From the app: subscriber"));
    rows.push(...describe(block).rows.map(([label, value]) => factRow(label, value)));
  }
  const way = stations(signalling?.cameVia);
  if (way.length) rows.push(factHeading("Came via"));
  way.forEach(({ place, why }, index) => rows.push(factRow(`${index + 1}.`, [place, why].filter(Boolean).join(": "))));
  return rows;
}

function technical(rows) {
  const box = document.createElement("details");
  box.className = "data-block";
  box.dataset.title = "signalling";
  const summary = document.createElement("summary");
  summary.textContent = "More from the signalling";
  box.append(summary, factList(rows));
  return box;
}
