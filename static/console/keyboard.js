/**
 * Keys to actions. Single keys are inert while something is typed, while a dialog is open and
 * where the call-taker has switched them off (WCAG 2.1.4). F1, F5, F11, F12 stay the browser's.
 */
const KEY = "leitstand.single-keys";
const TYPING = "input, textarea, select, [contenteditable]";

export class Keyboard {
  #actions;
  #single = localStorage.getItem(KEY) !== "off";

  /** @param {Object<string, Function>} actions by key: "a", "A", "?", …; and mine(n), leave() */
  constructor(actions) {
    this.#actions = actions;
  }

  connect() {
    document.addEventListener("keydown", (event) => this.#press(event));
    const box = document.getElementById("single-keys");
    box.checked = this.#single;
    box.addEventListener("change", () => {
      this.#single = box.checked;
      localStorage.setItem(KEY, this.#single ? "on" : "off");
    });
  }

  #press(event) {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    const act = this.#find(event);
    if (!act) return;
    event.preventDefault();
    act();
  }

  #find(event) {
    const { key, code, target } = event;
    if (event.ctrlKey && !event.altKey && !event.metaKey) {
      return key === "Enter" ? this.#actions.a : null;
    }
    if (event.altKey && !event.ctrlKey && /^(Digit|Numpad)[1-9]$/.test(code)) {
      return () => this.#actions.mine(Number(code.at(-1)));
    }
    if (event.altKey || event.metaKey || event.ctrlKey) return null;
    if (key === "Escape") return this.#actions.leave;
    if (target.matches?.(TYPING) || !this.#single || event.repeat) {
      return event.repeat && ["j", "k"].includes(key) && !target.matches?.(TYPING) && this.#single
        ? this.#actions[key] : null;
    }
    // Arrows belong to the map and to the list of messages while these have the focus.
    if (key === "ArrowDown" || key === "ArrowUp") {
      return target === document.body ? this.#actions[key === "ArrowDown" ? "j" : "k"] : null;
    }
    return Object.hasOwn(this.#actions, key) && key.length === 1 ? this.#actions[key] : null;
  }
}
