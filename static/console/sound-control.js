const TITLES = {
  on: "Switch the alarm sound off",
  off: "Switch the alarm sound on",
  blocked: "The browser plays no sound before the first click or key",
};
const LABELS = { on: "Sound on", off: "Sound off", blocked: "Sound blocked, click" };

/** The button that shows and switches the alarm's sound, and the one that proves it. */
export class SoundControl {
  #toggle;
  #label;
  #icon;
  #test;
  #alarm;
  #notices;

  constructor(document, { alarm, notices }) {
    this.#toggle = document.getElementById("sound-toggle");
    this.#label = document.getElementById("sound-label");
    this.#icon = this.#toggle.querySelector("use");
    this.#test = document.getElementById("sound-test");
    this.#alarm = alarm;
    this.#notices = notices;
  }

  connect() {
    this.#alarm.addEventListener("change", () => this.#show());
    // What was pressed as "blocked" is unlocked by the press itself; it must not switch off too.
    let before = "";
    for (const press of ["pointerdown", "keydown"]) {
      this.#toggle.addEventListener(press, () => { before = this.#alarm.state; });
    }
    this.#toggle.addEventListener("click", () => {
      if (before !== "blocked") this.#alarm.toggle();
      before = "";
    });
    this.#test.addEventListener("click", async () => {
      const heard = await this.#alarm.test();
      if (!heard) this.#notices.warn("This browser plays no sound. Check the output device.");
    });
    this.#show();
  }

  #show() {
    const { state } = this.#alarm;
    this.#toggle.dataset.state = state;
    this.#toggle.title = TITLES[state];
    this.#label.textContent = LABELS[state];
    this.#icon.setAttribute("href", state === "on" ? "#icon-sound" : "#icon-sound-off");
  }
}
