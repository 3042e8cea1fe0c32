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
  #shownParts = "";

  /**
   * @param {string} chat @param {object} message
   * @param {{author: string, language: string, located: boolean, passedOn: string, elsewhere: string}} around
   */
  show(chat, message, { author, language, located, passedOn, elsewhere }) {
    const { element } = this;
    const parts = this.#parts;
    element.dataset.messageId = message.id;
    element.dataset.chat = chat;
    element.dataset.direction = message.direction;
    element.dataset.status = message.status;
    element.classList.toggle("is-elsewhere", Boolean(elsewhere));
    parts.author.textContent = author;
    showTime(parts.time, message.at);
    if (parts.text.textContent !== message.text) parts.text.textContent = message.text;
    parts.text.hidden = !message.text;
    if (language) parts.text.lang = language; // for the voice and the glyphs
    this.#showAttachments(attachmentsOf(message));
    parts.number.textContent = [message.msgId !== null && `No. ${message.msgId}`, elsewhere && `at ${elsewhere}`].filter(Boolean).join(" ");
    parts.place.hidden = !located;
    parts.flags.textContent = flagWords(message.flags).join(", ");
    parts.flags.title = (message.flags ?? []).join(", ");
    if (message.direction === "out") this.#showDelivery(message);
    else this.#showPassing(passedOn);
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
    const repeatable = ["failed", "cancelled"].includes(message.status) && message.text && !message.psap;
    again.hidden = !repeatable;
    again.textContent = repeatable ? "Send again" : "";
    if (repeatable) again.dataset.sendAgain = message.id;
  }

  /** A message that came for a chat which another control room has by now. */
  #showPassing(words) {
    const { status, again } = this.#parts;
    again.hidden = true;
    status.hidden = !words;
    status.textContent = words;
  }

  /** Once: a picture is not fetched anew because a text was delivered. */
  async #showAttachments(attachments) {
    const shown = JSON.stringify(attachments);
    if (shown === this.#shownParts) return;
    this.#shownParts = shown;
    const list = this.#parts.parts;
    list.hidden = attachments.length === 0;
    list.replaceChildren();
    if (list.hidden) return;
    list.append(Object.assign(document.createElement("li"), { textContent: `${attachments.length} attached` }));
    const { attachmentItems } = await import("./attachment-list.js");
    if (this.#shownParts !== shown) return;
    list.replaceChildren(...attachmentItems(attachments));
    list.dispatchEvent(new Event("grown", { bubbles: true }));
  }
}
