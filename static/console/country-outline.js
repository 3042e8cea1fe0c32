/** Outlines of countries (Natural Earth): fetched once, when the first map wants them. */
export class CountryOutline {
  #url;
  #collection = null;
  #latest = null;

  constructor(url) {
    this.#url = url;
  }

  /** The GeoJSON collection, or null when it could not be had. */
  load() {
    this.#collection ??= fetch(this.#url)
      .then((response) => (response.ok ? response.json() : null))
      .catch(() => null)
      .then((collection) => {
        if (!collection) this.#collection = null; // try again the next time
        return collection;
      });
    return this.#collection;
  }

  /** Name of the country around a position, "" at sea. */
  async countryAt(latitude, longitude) {
    const collection = await this.load();
    const latest = this.#latest ? [this.#latest] : []; // most likely still there
    for (const feature of [...latest, ...(collection?.features ?? [])]) {
      const { properties, geometry } = feature;
      const polygons = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
      for (const [outer, ...holes] of polygons) {
        if (inside(outer, longitude, latitude) && !holes.some((hole) => inside(hole, longitude, latitude))) {
          this.#latest = feature;
          return properties.name;
        }
      }
    }
    return "";
  }
}

const shared = new Map();

/** The outlines at an address, the same for all who draw or ask. */
export function outlineAt(url) {
  if (!shared.has(url)) shared.set(url, new CountryOutline(url));
  return shared.get(url);
}

/** Even-odd rule. */
function inside(ring, x, y) {
  let within = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i, i += 1) {
    const [xi, yi] = ring[i];
    const [xj, yj] = ring[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) within = !within;
  }
  return within;
}
