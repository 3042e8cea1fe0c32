import { accuracy, decimal, sexagesimal } from "./coordinates.js";
import { keepingFocus } from "./focus.js";
import { Pace } from "./pace.js";
import { age, clockTime, utcTime } from "./time.js";
import { methodWord } from "./words.js";

const PACE = 400;

/** Words around the map: which fix is shown, how old, how sure, from which message. */
export class PositionPanel extends EventTarget {
  #map;
  #clock;
  #outline;
  #notices;
  #elements;
  #fixes = [];
  #chat = null;
  #chosenId = null;
  #moved = false; // the map, by hand
  #country = "";
  #pace = new Pace(PACE, () => this.#draw(false));

  constructor(document, { map, clock, outline, notices }) {
    super();
    this.#map = map;
    this.#clock = clock;
    this.#outline = outline;
    this.#notices = notices;
    this.#elements = Object.fromEntries(
      ["map", "position-facts", "position-none", "position-coordinates", "position-shape",
        "position-method", "position-message", "position-age", "copy-decimal", "copy-dms", "show-latest"].map((id) => [id, document.getElementById(id)]),
    );
  }

  connect() {
    const of = this.#elements;
    this.#clock.addEventListener("tick", () => this.#tick());
    of["copy-decimal"].addEventListener("click", () => this.#copy(decimal));
    of["copy-dms"].addEventListener("click", () => this.#copy(sexagesimal));
    of["show-latest"].addEventListener("click", () => {
      this.#chosenId = null;
      this.#moved = false;
      this.#map.follow();
      keepingFocus(() => this.#draw(false), () => of.map);
    });
    of.map.addEventListener("moved-by-hand", () => {
      this.#moved = true;
      of["show-latest"].hidden = this.#fixes.length === 0;
    });
    of["position-message"].addEventListener("click", () => {
      this.dispatchEvent(new CustomEvent("show-message", { detail: this.#fix.messageId }));
    });
  }

  /** @param {string|null} chat @param {object[]} fixes in the order of arrival */
  show(chat, fixes) {
    const anew = chat !== this.#chat;
    if (anew) {
      this.#chosenId = null;
      this.#moved = false;
    }
    this.#chat = chat;
    this.#fixes = fixes;
    if (anew) this.#draw(true);
    else this.#pace.ask();
  }

  /** Show the fix that a message brought. */
  choose(messageId) {
    const fix = this.#fixes.findLast((one) => one.messageId === messageId);
    if (!fix) return;
    this.#chosenId = fix.id;
    this.#draw(false);
  }

  get #fix() {
    return this.#fixes.find((one) => one.id === this.#chosenId) ?? this.#fixes.at(-1) ?? null;
  }

  #draw(anew) {
    const of = this.#elements;
    const fix = this.#fix;
    const chosen = this.#chosenId !== null && fix !== this.#fixes.at(-1);
    of["position-facts"].hidden = !fix;
    of["position-none"].hidden = Boolean(fix) || !this.#chat;
    of["show-latest"].hidden = !(chosen || (this.#moved && fix));
    this.#map.show(this.#fixes, chosen ? fix : null, { anew });
    if (!fix) return;
    of["position-coordinates"].textContent = decimal(fix);
    of["position-coordinates"].title = sexagesimal(fix);
    this.#country = "";
    this.#showShape(fix);
    this.#outline.countryAt(fix.lat, fix.lon).then((country) => {
      if (this.#fix !== fix) return;
      this.#country = country;
      this.#showShape(fix);
    });
    of["position-method"].textContent = methodWord(fix.method);
    of["position-message"].textContent = fix.msgId === null ? "from a message" : `from message ${fix.msgId}`;
    this.#tick();
  }

  #showShape(fix) {
    this.#elements["position-shape"].textContent = [accuracy(fix), this.#country].filter(Boolean).join(" · ");
  }

  #tick() {
    const fix = this.#fix;
    if (!fix) return;
    const element = this.#elements["position-age"];
    element.textContent = `${age(this.#clock.since(fix.at))} old (${clockTime(fix.at)})`;
    element.title = utcTime(fix.at);
  }

  async #copy(format) {
    const text = format(this.#fix);
    const done = await copyText(text);
    this.#notices.say(done ? `Copied ${text}` : `Could not copy. The coordinates are ${text}`);
  }
}

/** The clipboard interface exists in secure contexts only; a desk may use plain http. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.className = "unseen";
    area.value = text;
    document.body.append(area);
    const focused = document.activeElement;
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return done;
  }
}
