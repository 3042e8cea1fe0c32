/* global L */

const STEPS = [30, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005];
const APART = 90; // pixels between two lines at least

/** Labelled lines of latitude and longitude: what a map without tiles has to say close up. */
export class MapGrid {
  #map;
  #group;

  constructor(map) {
    this.#map = map;
    this.#group = L.layerGroup();
  }

  connect() {
    this.#group.addTo(this.#map);
    this.#map.on("moveend", () => this.#draw());
    this.#draw();
  }

  #draw() {
    const map = this.#map;
    const bounds = map.getBounds();
    const perPixel = (bounds.getEast() - bounds.getWest()) / map.getSize().x;
    const step = STEPS.findLast((one) => one / perPixel >= APART) ?? STEPS[0];
    const digits = Math.max(0, Math.ceil(-Math.log10(step)));
    this.#group.clearLayers();
    this.#lines(bounds.getSouth(), bounds.getNorth(), step, (value) => {
      this.#line([[value, bounds.getWest()], [value, bounds.getEast()]]);
      this.#label([value, bounds.getWest()], `${value.toFixed(digits)}°`, "grid-latitude");
    });
    this.#lines(bounds.getWest(), bounds.getEast(), step, (value) => {
      this.#line([[bounds.getSouth(), value], [bounds.getNorth(), value]]);
      this.#label([bounds.getNorth(), value], `${value.toFixed(digits)}°`, "grid-longitude");
    });
  }

  #lines(from, to, step, draw) {
    const first = Math.ceil(from / step);
    const last = Math.min(Math.floor(to / step), first + 40);
    for (let index = first; index <= last; index += 1) draw(index * step);
  }

  #line(points) {
    this.#group.addLayer(L.polyline(points, { className: "grid-line", interactive: false, weight: 1 }));
  }

  #label(point, text, className) {
    const { x, y } = this.#map.latLngToContainerPoint(point);
    const size = this.#map.getSize();
    // Clear of the other axis' labels and of the scale.
    const clear = className === "grid-latitude" ? y > 32 && y < size.y - 36 : x > 44 && x < size.x - 44;
    if (!clear) return;
    const label = document.createElement("span");
    label.textContent = text;
    const icon = L.divIcon({ className: `grid-label ${className}`, html: label, iconSize: null });
    this.#group.addLayer(L.marker(point, { icon, interactive: false, keyboard: false }));
  }
}
