const SEVERITIES = { alarm: "Alarm", warning: "Warning" };

/**
 * What is wrong with the instance itself, such as a certificate that is about to expire: a calm
 * line under the status bar that stays until it is right again.
 */
export class AlarmStrip {
  #box;
  #list;
  #link;
  #store;
  #notices;
  #known = null;

  constructor(document, { store, notices }) {
    this.#box = document.getElementById("alarms");
    this.#list = this.#box.querySelector("ul");
    this.#link = this.#box.querySelector("a");
    this.#store = store;
    this.#notices = notices;
  }

  connect() {
    this.#store.addEventListener("alarms", () => this.show());
    this.show();
  }

  show() {
    const alarms = [...this.#store.alarms].sort((a, b) => (a.severity === "alarm" ? 0 : 1) - (b.severity === "alarm" ? 0 : 1));
    this.#box.hidden = alarms.length === 0;
    this.#box.dataset.severity = alarms[0]?.severity ?? "";
    const { roles } = this.#store.me;
    this.#link.hidden = !["supervisor", "administrator"].some((role) => roles.includes(role));
    this.#list.replaceChildren(...alarms.map(({ severity, text }) => {
      const item = document.createElement("li");
      const word = document.createElement("b");
      word.textContent = SEVERITIES[severity] ?? severity;
      item.dataset.severity = severity;
      item.append(word, " ", text);
      return item;
    }));
    this.#say(alarms);
  }

  /** Announce what is new; what was there when the page opened can be read in its place. */
  #say(alarms) {
    const texts = alarms.map(({ text }) => text);
    const anew = alarms.filter(({ text }) => this.#known && !this.#known.has(text));
    const gone = this.#known && this.#known.size > 0 && texts.length === 0;
    this.#known = new Set(texts);
    if (anew.length) this.#notices.announce(anew.map(({ severity, text }) => `${SEVERITIES[severity] ?? severity}: ${text}`).join("\n"));
    else if (gone) this.#notices.announce("No alarm of the system any more.");
  }
}
