import { loadElement } from "./load-element.js";

/**
 * The place of the map. Leaflet and our own map come after the first paint, and show then what
 * was asked for last; where they cannot be had, everything else goes on without a map.
 */
export class MapFrame {
  #document;
  #element;
  #script;
  #styles;
  #options;
  #map = null;
  #loading = false;
  #wish = null;

  /** @param {string} script address of Leaflet @param {string[]} styles addresses @param options what LocationMap wants */
  constructor(document, { script, styles, ...options }) {
    this.#document = document;
    this.#element = document.getElementById("map");
    this.#script = script;
    this.#styles = styles;
    this.#options = options;
  }

  connect() {
    const later = globalThis.requestIdleCallback ?? ((run) => setTimeout(run, 200));
    later(() => this.#load());
  }

  focus() {
    this.#element.focus();
  }

  /** As LocationMap.show, now or once there is a map. */
  show(fixes, chosen, { anew }) {
    this.#wish = [fixes, chosen, { anew: anew || Boolean(!this.#map && this.#wish?.[2].anew) }];
    if (this.#map) this.#map.show(...this.#wish);
    else this.#load();
  }

  follow() {
    this.#map?.follow();
  }

  async #load() {
    if (this.#loading || this.#map) return;
    this.#loading = true;
    try {
      const wanted = this.#styles.map((href) => loadElement(this.#document, "link", { rel: "stylesheet", href }));
      if (!globalThis.L) wanted.push(loadElement(this.#document, "script", { src: this.#script }));
      await Promise.all(wanted);
      const { LocationMap } = await import("./location-map.js");
      this.#element.replaceChildren();
      const map = new LocationMap(this.#document, this.#options);
      map.connect();
      this.#map = map;
      if (this.#wish) map.show(...this.#wish);
    } catch {
      // The next position tries again.
      this.#element.textContent = "The map could not be loaded. Positions are shown in words.";
    }
    this.#loading = false;
  }
}
