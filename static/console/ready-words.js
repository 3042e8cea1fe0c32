/**
 * Ready words beneath a field, as buttons: one press writes them, those of before go with it, what
 * was typed by hand stays behind them.
 */
export class ReadyWords {
  #box;
  #field;
  #words;

  /** @param {HTMLElement} box @param {HTMLInputElement} field @param {string[]} words */
  constructor(box, field, words) {
    this.#box = box;
    this.#field = field;
    this.#words = words;
  }

  connect() {
    this.#box.append(...this.#words.map((words) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button small";
      button.textContent = words;
      button.addEventListener("click", () => this.#write(words));
      return button;
    }));
  }

  #write(words) {
    const before = this.#words.find((one) => this.#field.value.startsWith(one)) ?? "";
    const own = this.#field.value.slice(before.length).replace(/^[.\s]+/, "");
    this.#field.value = own ? `${words}. ${own}` : words;
    this.#field.dispatchEvent(new Event("input", { bubbles: true }));
    this.#field.focus();
  }
}
