const KEY = "leitstand.theme";
const NEXT = { system: "light", light: "dark", dark: "system" };

/** Light, dark, or as the system says; kept in this browser. theme-early.js applies it at load. */
export class ThemeSwitch {
  #button;
  #label;

  constructor(document) {
    this.#button = document.getElementById("theme-switch");
    this.#label = document.getElementById("theme-label");
  }

  connect() {
    this.#show();
    this.#button.addEventListener("click", () => {
      const next = NEXT[this.#theme];
      if (next === "system") {
        delete document.documentElement.dataset.theme;
        localStorage.removeItem(KEY);
      } else {
        document.documentElement.dataset.theme = next;
        localStorage.setItem(KEY, next);
      }
      this.#show();
    });
  }

  get #theme() {
    return document.documentElement.dataset.theme ?? "system";
  }

  #show() {
    this.#label.textContent = `Theme: ${this.#theme}`;
  }
}
