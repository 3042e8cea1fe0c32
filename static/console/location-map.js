/* global L */
import { outlineAt } from "./country-outline.js";
import { MapGrid } from "./map-grid.js";
import { outline, placed, reach } from "./shape-outline.js";

const OVERVIEW = 4;
const EVERYWHERE = [48, 12];
const SURROUNDINGS = 200; // metres around a position that are shown at least, if they fit
const VISIBLE = 13; // pixels: the reach from which a shape shows well around its centre
const STREET = 15; // the zoom from which a point without a shape can be told from the next one
const CRAMPED = 190; // pixels of height under which the small map would cover the large one
const EQUATOR = 40_075_017; // metres

/**
 * The map: outline of countries or tiles, the track, its first and latest fix, a chosen fix with
 * its shape. Fixes without a position (a civic address alone) are not on it. Leaflet draws in
 * SVG so that all colours come from the stylesheet, light and dark.
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
  #visible = false;
  #wish = null; // what to show once there is room for it

  /** @param tiles {url, attribution}; url "" for none */
  constructor(document, { outlineUrl, tiles }) {
    this.#element = document.getElementById("map");
    this.#overviewElement = document.getElementById("map-overview");
    this.#outline = outlineAt(outlineUrl);
    this.#tiles = tiles;
  }

  connect() {
    const map = L.map(this.#element, { zoomControl: true, worldCopyJump: true, zoomSnap: 0.5,
      fadeAnimation: false, zoomAnimation: false, markerZoomAnimation: false, maxZoom: 19, minZoom: 2 });
    this.#map = map;
    map.attributionControl.setPrefix(false);
    L.control.scale({ imperial: false }).addTo(map);
    map.setView(EVERYWHERE, OVERVIEW);
    map.on("movestart zoomstart", () => this.#movedByHand()); // keys too, not only the mouse
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
    this.#overview.setView(EVERYWHERE, OVERVIEW);
    // After the first paint: the outline is larger than all of the console's own code.
    const later = globalThis.requestIdleCallback ?? ((run) => setTimeout(run, 200));
    later(() => this.#drawOutline());
    new ResizeObserver(([{ contentRect }]) => this.#resized(contentRect)).observe(this.#element);
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
    // Without a size every view is too small, and each would project the whole world anew.
    this.#wish = this.#visible ? null : [fixes, chosen, { anew: anew || Boolean(this.#wish?.[2].anew) }];
    if (this.#wish) return;
    this.#layers.clearLayers();
    fixes = fixes.filter(placed);
    const latest = fixes.at(-1) ?? null;
    const fix = chosen ?? latest;
    const another = fix?.id !== this.#shown?.id;
    this.#shown = fix;
    this.#element.classList.toggle("is-empty", !fix);
    this.#overviewElement.hidden = !fix;
    if (!fix) {
      // Never the surroundings of another caller.
      if (anew) this.#view(EVERYWHERE, OVERVIEW);
      return;
    }
    const track = fixes.map((one) => [one.lat, one.lon]);
    if (track.length > 1) {
      this.#add(L.polyline(track, { className: "track-casing", weight: 6 }));
      this.#add(L.polyline(track, { className: "track", weight: 2.5 }));
      this.#dot(fixes[0], "first-fix", 5, "First");
    }
    if (chosen && chosen !== latest) this.#dot(latest, "later-fix", 5, "Latest");
    const rings = outline(fix);
    if (rings.length) this.#add(L.polygon(rings, { className: `fix-shape shape-${fix.shape.toLowerCase()}`, weight: 2, smoothFactor: 0.5 }));
    // The centre of a sector is the mast, not the caller: it is drawn hollow.
    const hollow = fix.shape === "ArcBand" ? " shape-centre" : "";
    this.#dot(fix, `${chosen ? "chosen-fix" : "latest-fix"}${hollow}`, 5, "");
    this.#overviewDot?.remove();
    this.#overviewDot = L.circleMarker([fix.lat, fix.lon], { radius: 4, className: "latest-fix" }).addTo(this.#overview);
    this.#lookAround(fix);
    if (anew || (chosen && another) || (!this.#moved && !this.#showsWell(fix))) {
      this.#goTo(fix, chosen ? [fix] : fixes.slice(-20));
    }
  }

  /** Follow the latest fix again. */
  follow() {
    this.#moved = false;
    if (this.#shown) this.#goTo(this.#shown, [this.#shown]);
  }

  /** Show the surroundings and the others, but never so far out that the shape hides under its centre. */
  #goTo(fix, others) {
    const centre = L.latLng(fix.lat, fix.lon);
    const far = reach(fix);
    const bounds = centre.toBounds(2.2 * Math.max(SURROUNDINGS, far));
    for (const one of others) bounds.extend([one.lat, one.lon]);
    const zoom = Math.min(this.#map.getBoundsZoom(bounds, false, L.point(24, 24)), STREET + 1);
    const close = far ? Math.ceil(2 * zoomFor(fix, far, VISIBLE)) / 2 : STREET;
    if (zoom >= close) this.#view(bounds.getCenter(), zoom);
    else this.#view(centre, Math.min(close, this.#map.getMaxZoom()));
  }

  #view(centre, zoom) {
    this.#moving = true;
    this.#map.setView(centre, zoom, { animate: false });
    this.#moving = false;
  }

  /** Whether a position can be read where the map is: a map that jumps with every one cannot. */
  #showsWell(fix) {
    const zoom = this.#map.getZoom();
    const far = reach(fix);
    const around = L.latLng(fix.lat, fix.lon).toBounds(2 * far + 1);
    return zoom >= (far ? zoomFor(fix, far, VISIBLE * 0.75) : STREET) && this.#map.getBounds().pad(-0.15).contains(around);
  }

  #movedByHand() {
    if (this.#moving || this.#moved || !this.#shown) return;
    this.#moved = true;
    this.#element.dispatchEvent(new CustomEvent("moved-by-hand"));
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

  #resized({ width, height }) {
    this.#visible = width > 0;
    if (!this.#visible) return;
    this.#overviewElement.classList.toggle("cramped", height < CRAMPED);
    this.#moving = true;
    this.#map.invalidateSize({ animate: false });
    this.#overview.invalidateSize({ animate: false });
    if (this.#shown) this.#lookAround(this.#shown);
    this.#moving = false;
    if (this.#wish) this.show(...this.#wish);
  }
}

/** The zoom at which so many metres around a fix are so many pixels (Web Mercator, tiles of 256). */
function zoomFor(fix, metres, pixels) {
  const around = EQUATOR * Math.cos((fix.lat * Math.PI) / 180);
  return Math.log2((pixels * around) / (256 * metres));
}

/** Leaflet writes attributions as HTML; ours comes from a setting and stays text. */
function escaped(text) {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
