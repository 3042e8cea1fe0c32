import { decimal, sexagesimal } from "./coordinates.js";
import { factRow } from "./facts.js";
import { keepingFocus } from "./focus.js";
import { Pace } from "./pace.js";
import { addressOf, placeOf, sourceWords, sureWords } from "./position-words.js";
import { age, clockTime, utcTime } from "./time.js";

const PACE = 400;

/** Words around the map: which fix is shown, how old, how sure, its address, from which message. */
export class PositionPanel extends EventTarget {
  #map;
  #clock;
  #outline;
  #notices;
  #elements;
  #fixes = [];
  #references = new Map();
  #shownAddress = "";
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
      ["map", "position-facts", "position-none", "position-coordinates", "position-shape", "position-actions",
        "position-method", "position-message", "position-age", "position-address", "position-postal",
        "position-civic", "copy-decimal", "copy-dms", "show-latest"].map((id) => [id, document.getElementById(id)]),
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

  /**
   * @param {string|null} chat @param {object[]} fixes in the order of arrival
   * @param {Map<string, object>} references by id
   */
  show(chat, fixes, references = new Map()) {
    const anew = chat !== this.#chat;
    this.#references = references;
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

  /** The fix whose coordinates are shown: the chosen one, or what stands in for an address alone. */
  get #place() {
    return placeOf(this.#fix, this.#fixes);
  }

  #draw(anew) {
    const of = this.#elements;
    const fix = this.#fix;
    const place = this.#place;
    const chosen = this.#chosenId !== null && fix !== this.#fixes.at(-1);
    of["position-facts"].hidden = !fix;
    of["position-none"].hidden = Boolean(fix) || !this.#chat;
    of["show-latest"].hidden = !(chosen || (this.#moved && fix));
    this.#map.show(this.#fixes, chosen ? place : null, { anew });
    if (!fix) return;
    of["position-actions"].hidden = !place;
    of["position-coordinates"].textContent = place ? decimal(place) : "No coordinates, only an address";
    of["position-coordinates"].title = place ? sexagesimal(place) : "";
    this.#country = "";
    this.#showShape();
    this.#showAddress(fix);
    if (place) {
      this.#outline.countryAt(place.lat, place.lon).then((country) => {
        if (this.#place !== place) return;
        this.#country = country;
        this.#showShape();
      });
    }
    of["position-method"].textContent = sourceWords(fix, this.#references.get(String(fix.reference)));
    of["position-message"].textContent = fix.msgId === null ? "from a message" : `from message ${fix.msgId}`;
    this.#tick();
  }

  #showShape() {
    const place = this.#place;
    const older = place && place.messageId !== this.#fix.messageId ? `of ${clockTime(place.at)}, before the address` : "";
    this.#elements["position-shape"].textContent = place
      ? [sureWords(place), this.#country, older].filter(Boolean).join(" · ")
      : "Not on the map";
  }

  #showAddress(fix) {
    const of = this.#elements;
    const address = addressOf(fix, this.#fixes);
    const shown = JSON.stringify(address);
    if (shown === this.#shownAddress) return;
    this.#shownAddress = shown;
    of["position-address"].hidden = !address;
    of["position-postal"].textContent = address?.line ?? "";
    of["position-civic"].replaceChildren(...(address?.rows ?? []).map(([label, value]) => factRow(label, value)));
  }

  #tick() {
    const fix = this.#fix;
    if (!fix) return;
    const element = this.#elements["position-age"];
    element.textContent = `${age(this.#clock.since(fix.at))} old (${clockTime(fix.at)})`;
    element.title = utcTime(fix.at);
  }

  async #copy(format) {
    if (!this.#place) return;
    const text = format(this.#place);
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
