/* global L */
import { MapGrid } from "./map-grid.js";

const CLOSE = 15;
const OVERVIEW = 4;
const SMALLEST = 0.002; // degrees: a point still shows its surroundings

/**
 * The map: outline of countries or tiles, the track, its first and latest fix, a chosen fix.
 * Leaflet draws in SVG so that all colours come from the stylesheet, light and dark.
 */
export class LocationMap {
  #element;
  #overviewElement;
  #outline;
  #tiles;
  #map = null;
  #overview = null;
  #layers = null;
  #overviewDot = null;
  #moved = false;
  #moving = false;
  #shown = null;

  /** @param tiles {url, attribution}; url "" for none */
  constructor(document, { outline, tiles }) {
    this.#element = document.getElementById("map");
    this.#overviewElement = document.getElementById("map-overview");
    this.#outline = outline;
    this.#tiles = tiles;
  }

  connect() {
    const map = L.map(this.#element, { zoomControl: true, worldCopyJump: true, zoomSnap: 0.5,
      fadeAnimation: false, zoomAnimation: false, markerZoomAnimation: false, maxZoom: 19, minZoom: 2 });
    this.#map = map;
    map.attributionControl.setPrefix(false);
    L.control.scale({ imperial: false }).addTo(map);
    map.setView([48, 12], OVERVIEW);
    map.on("dragstart zoomstart", () => { if (!this.#moving) this.#moved = true; });
    map.createPane("outline").style.zIndex = 250;
    this.#layers = L.layerGroup().addTo(map);
    if (this.#tiles.url) {
      L.tileLayer(this.#tiles.url, { attribution: escaped(this.#tiles.attribution), maxZoom: 19 }).addTo(map);
    } else {
      map.attributionControl.addAttribution("Outline: Natural Earth");
      new MapGrid(map).connect();
    }
    this.#overview = L.map(this.#overviewElement, { zoomControl: false, attributionControl: false,
      dragging: false, scrollWheelZoom: false, doubleClickZoom: false, boxZoom: false, keyboard: false,
      touchZoom: false, fadeAnimation: false, zoomAnimation: false });
    this.#overview.setView([48, 12], OVERVIEW);
    // After the first paint: the outline is larger than all of the console's own code.
    const later = globalThis.requestIdleCallback ?? ((run) => setTimeout(run, 200));
    later(() => this.#drawOutline());
    new ResizeObserver(() => this.#resized()).observe(this.#element);
  }

  focus() {
    this.#element.focus();
  }

  /**
   * Show the fixes of a chat; `chosen` one instead of the latest when given. The view follows
   * until the call-taker has moved the map; `anew` starts over, for another chat.
   */
  show(fixes, chosen, { anew }) {
    if (anew) this.#moved = false;
    this.#layers.clearLayers();
    const latest = fixes.at(-1) ?? null;
    const fix = chosen ?? latest;
    this.#shown = fix;
    this.#element.classList.toggle("is-empty", !fix);
    this.#overviewElement.hidden = !fix;
    if (!fix) return;
    const track = fixes.map((one) => [one.lat, one.lon]);
    if (track.length > 1) {
      this.#add(L.polyline(track, { className: "track-casing", weight: 6 }));
      this.#add(L.polyline(track, { className: "track", weight: 2.5 }));
      this.#dot(fixes[0], "first-fix", 5, "First");
    }
    if (chosen && chosen !== latest) this.#dot(latest, "later-fix", 5, "Latest");
    if (fix.radius) this.#add(L.circle([fix.lat, fix.lon], { radius: fix.radius, className: "fix-circle", weight: 2 }));
    this.#dot(fix, chosen ? "chosen-fix" : "latest-fix", 7, "");
    this.#overviewDot?.remove();
    this.#overviewDot = L.circleMarker([fix.lat, fix.lon], { radius: 4, className: "latest-fix" }).addTo(this.#overview);
    this.#lookAround(fix);
    if (!this.#moved || chosen) this.#goTo(fix, chosen ? [fix] : fixes.slice(-20));
  }

  /** Follow the latest fix again. */
  follow() {
    this.#moved = false;
  }

  #goTo(fix, others) {
    this.#moving = true;
    const bounds = L.latLngBounds(others.map((one) => [one.lat, one.lon]));
    const reach = Math.max(SMALLEST, (fix.radius ?? 0) / 111_000 * 1.1);
    const wide = reach / Math.max(0.1, Math.cos((fix.lat * Math.PI) / 180));
    bounds.extend([fix.lat - reach, fix.lon - wide]).extend([fix.lat + reach, fix.lon + wide]);
    this.#map.fitBounds(bounds, { animate: false, maxZoom: CLOSE + 1, padding: [18, 18] });
    this.#moving = false;
  }

  /** Move the small map, unless it would not show. */
  #lookAround(fix) {
    const centre = this.#overview.getCenter();
    if (Math.abs(centre.lat - fix.lat) < 0.05 && Math.abs(centre.lng - fix.lon) < 0.05) return;
    this.#overview.setView([fix.lat, fix.lon], OVERVIEW, { animate: false });
  }

  #dot(fix, className, radius, label) {
    const dot = L.circleMarker([fix.lat, fix.lon], { radius, className, weight: 2 });
    if (label) {
      const text = document.createElement("span");
      text.textContent = label;
      dot.bindTooltip(text, { permanent: true, direction: "top", className: "fix-label", offset: [0, -4] });
    }
    this.#add(dot);
  }

  #add(layer) {
    layer.options.interactive = false;
    this.#layers.addLayer(layer);
  }

  async #drawOutline() {
    const collection = await this.#outline.load();
    if (!collection) return;
    const style = { className: "country", weight: 1 };
    const options = { style: () => style, interactive: false };
    if (!this.#tiles.url) L.geoJSON(collection, { ...options, pane: "outline" }).addTo(this.#map);
    L.geoJSON(collection, options).addTo(this.#overview).bringToBack();
  }

  #resized() {
    this.#moving = true;
    this.#map.invalidateSize({ animate: false });
    this.#overview.invalidateSize({ animate: false });
    if (this.#shown) this.#lookAround(this.#shown);
    this.#moving = false;
  }
}

/** Leaflet writes attributions as HTML; ours comes from a setting and stays text. */
function escaped(text) {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
