import { attachmentsOf } from "./event-words.js";
import { showTime } from "./time.js";
import { deliveryWord, flagWords } from "./words.js";

/** One message in the conversation. */
export class MessageView {
  /** @param {HTMLTemplateElement} template */
  constructor(template) {
    this.element = template.content.firstElementChild.cloneNode(true);
    const part = (name) => this.element.querySelector(`.message-${name}`);
    this.#parts = {
      author: part("author"), time: part("time"), text: part("text"), parts: part("parts"),
      number: part("number"), place: part("place"), flags: part("flags"), status: part("status"),
      again: part("again"),
    };
  }

  #parts;

  /** @param {string} chat @param {object} message @param {object[]} fixes those that it brought */
  show(chat, message, fixes, author, language) {
    const { element } = this;
    const parts = this.#parts;
    element.dataset.messageId = message.id;
    element.dataset.chat = chat;
    element.dataset.direction = message.direction;
    element.dataset.status = message.status;
    parts.author.textContent = author;
    showTime(parts.time, message.at);
    if (parts.text.textContent !== message.text) parts.text.textContent = message.text;
    parts.text.hidden = !message.text;
    if (language) parts.text.lang = language; // for the voice and the glyphs
    this.#showAttachments(attachmentsOf(message));
    parts.number.textContent = message.msgId === null ? "" : `No. ${message.msgId}`;
    parts.place.hidden = fixes.length === 0;
    parts.flags.textContent = flagWords(message.flags).join(", ");
    parts.flags.title = (message.flags ?? []).join(", ");
    if (message.direction === "out") this.#showDelivery(message);
    else parts.again.hidden = parts.status.hidden = true;
  }

  /** Show a text of ours that the server has not confirmed yet. */
  showPending(entry, author, connected) {
    const { element } = this;
    const parts = this.#parts;
    const waiting = entry.state === "waiting";
    element.dataset.chat = entry.chat;
    element.dataset.pending = entry.id;
    element.dataset.direction = "out";
    element.dataset.status = waiting ? "waiting" : "confirming";
    parts.author.textContent = author;
    showTime(parts.time, entry.typedAt);
    parts.text.textContent = entry.text;
    parts.place.hidden = true;
    parts.status.textContent = waiting
      ? "Waiting for the connection, goes out once it is back"
      : connected ? "Passing to the server" : "Passing to the server, confirmed once the connection is back";
    parts.again.hidden = !waiting;
    parts.again.textContent = "Take back";
    parts.again.dataset.takeBack = entry.id;
  }

  #showDelivery(message) {
    const { status, again } = this.#parts;
    const { text, grave } = deliveryWord(message);
    status.textContent = text;
    status.classList.toggle("grave", grave);
    const repeatable = ["failed", "cancelled"].includes(message.status) && message.text;
    again.hidden = !repeatable;
    again.textContent = repeatable ? "Send again" : "";
    if (repeatable) again.dataset.sendAgain = message.id;
  }

  #showAttachments(attachments) {
    this.#parts.parts.hidden = attachments.length === 0;
    this.#parts.parts.replaceChildren(
      ...attachments.map((part) => {
        const item = document.createElement("li");
        const notes = flagWords([part.flag]);
        item.textContent = [part.contentType, sizeWord(part.size), ...notes].join(" · ");
        return item;
      }),
    );
  }
}

function sizeWord(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} kB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
