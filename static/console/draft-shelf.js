/** Unsent texts, one a chat, kept through reloads and a new login of this browser tab. */
export class DraftShelf {
  #prefix;

  constructor(username) {
    this.#prefix = `leitstand.draft.${username}.`;
  }

  read(chat) {
    return sessionStorage.getItem(this.#prefix + chat) ?? "";
  }

  write(chat, text) {
    if (text) sessionStorage.setItem(this.#prefix + chat, text);
    else sessionStorage.removeItem(this.#prefix + chat);
  }
}
