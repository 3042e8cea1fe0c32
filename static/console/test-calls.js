import { workable } from "./modal.js";
import { clockTime, dayKey, utcTime } from "./time.js";
import { callerWord, serviceWord } from "./words.js";
import { placeWords } from "./queue-card.js";

/**
 * The list of test calls, which nobody has to answer: fetched when it is looked at.
 * Emits "choose" (detail: chat).
 */
export class TestCalls extends EventTarget {
  #dialog;
  #rows;
  #note;
  #address;

  /** @param {string} address of the list */
  constructor(document, { address }) {
    super();
    this.#dialog = document.getElementById("tests-dialog");
    this.#rows = this.#dialog.querySelector("tbody");
    this.#note = document.getElementById("tests-note");
    this.#address = address;
  }

  connect() {
    workable(this.#dialog);
    this.#rows.addEventListener("click", (event) => {
      const chat = event.target.closest("button")?.dataset.chat;
      if (!chat) return;
      this.#dialog.close("");
      this.dispatchEvent(new CustomEvent("choose", { detail: chat }));
    });
  }

  async open() {
    this.#rows.replaceChildren();
    this.#say("Loading…");
    this.#dialog.showModal();
    try {
      const response = await fetch(this.#address, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (!response.ok) throw new Error(`status ${response.status}`);
      const { chats } = await response.json();
      this.#rows.replaceChildren(...chats.map(rowOf));
      this.#say(chats.length ? "" : "No test calls yet.");
    } catch {
      this.#say("The list could not be loaded. Close it and try again.");
    }
  }

  #say(words) {
    this.#note.textContent = words;
    this.#dialog.querySelector("table").hidden = Boolean(words);
  }
}

function rowOf(card) {
  const row = document.createElement("tr");
  const time = document.createElement("time");
  time.dateTime = card.openedAt;
  time.textContent = `${dayKey(card.openedAt)} ${clockTime(card.openedAt)}`;
  time.title = utcTime(card.openedAt);
  const show = document.createElement("button");
  show.type = "button";
  show.className = "link";
  show.dataset.chat = card.chat;
  show.textContent = `#${card.chat} ${callerWord(card)}`;
  row.append(...[time, show, serviceWord(card.service), placeWords(card.fix), outcome(card)].map((content) => {
    const cell = document.createElement("td");
    cell.append(content);
    return cell;
  }));
  return row;
}

function outcome(card) {
  if (card.ringingSince) return "Became a real chat, ringing";
  if (card.owner) return `Became a real chat, with ${card.owner.name}`;
  return card.disposition || card.session !== "open" ? "Answered by itself" : "Under way";
}
