/**
 * The shapes of RFC 5491 as rings on the ground: [latitude, longitude] in degrees WGS84.
 *
 * Distances go over a sphere of the earth's mean radius: within 0.5 % of the ellipsoid, far less
 * than any uncertainty that a shape states. Angles are clockwise from north, as the record has them.
 */
const EARTH = 6_371_008.8; // metres, mean radius
const STEPS = 72; // corners of a whole turn
const RADIANS = Math.PI / 180;

/**
 * What to draw for a fix: rings as Leaflet's polygons take them, the outer first, then holes;
 * none for a point and for an address without position. Solids are drawn as their base.
 * @returns {[number, number][][]}
 */
export function outline(fix) {
  if (!placed(fix)) return [];
  const rings = OUTLINES[fix.shape]?.(fix, fix.geometry ?? {}) ?? round(fix, fix.radius);
  return rings.filter((ring) => ring.length > 2);
}

/** Whether a fix has a position at all; a civic address alone has none. */
export function placed(fix) {
  return Number.isFinite(fix?.lat) && Number.isFinite(fix?.lon);
}

/** How far the shape reaches from its centre, in metres; 0 for a point. */
export function reach(fix) {
  const corners = outline(fix).flat();
  return Math.max(0, ...corners.map((corner) => distance([fix.lat, fix.lon], corner)));
}

/** The point so many metres away in a direction; longitude may pass 180° and stays continuous. */
export function destination([latitude, longitude], bearing, metres) {
  const angle = metres / EARTH;
  const from = latitude * RADIANS;
  const direction = bearing * RADIANS;
  const to = Math.asin(Math.min(1, Math.max(-1,
    Math.sin(from) * Math.cos(angle) + Math.cos(from) * Math.sin(angle) * Math.cos(direction))));
  const turned = Math.atan2(
    Math.sin(direction) * Math.sin(angle) * Math.cos(from),
    Math.cos(angle) - Math.sin(from) * Math.sin(to),
  );
  return [to / RADIANS, longitude + turned / RADIANS];
}

/** Metres between two points (haversine). */
export function distance([latitudeA, longitudeA], [latitudeB, longitudeB]) {
  const half = (degrees) => Math.sin((degrees * RADIANS) / 2) ** 2;
  const chord = half(latitudeB - latitudeA)
    + Math.cos(latitudeA * RADIANS) * Math.cos(latitudeB * RADIANS) * half(longitudeB - longitudeA);
  return 2 * EARTH * Math.asin(Math.min(1, Math.sqrt(chord)));
}

const OUTLINES = {
  Point: () => [],
  Ellipse: ellipse,
  Ellipsoid: ellipse,
  ArcBand: arcBand,
  Polygon: base,
  Prism: base,
};

function round(fix, radius) {
  if (!(radius > 0)) return [];
  return [arc([fix.lat, fix.lon], radius, 0, 360)];
}

function ellipse(fix, { semiMajorAxis: major, semiMinorAxis: minor, orientation = 0 }) {
  if (!(major > 0 && minor > 0)) return [];
  const ring = [];
  for (let step = 0; step < STEPS; step += 1) {
    const angle = (2 * Math.PI * step) / STEPS;
    const along = major * Math.cos(angle);
    const across = minor * Math.sin(angle);
    const bearing = orientation + Math.atan2(across, along) / RADIANS;
    ring.push(destination([fix.lat, fix.lon], bearing, Math.hypot(along, across)));
  }
  return [ring];
}

/** From the start angle on by the opening angle, between two radii (RFC 5491, 5.2.5). */
function arcBand(fix, { innerRadius: inner = 0, outerRadius: outer, startAngle = 0, openingAngle }) {
  if (!(outer > 0 && openingAngle > 0)) return [];
  const centre = [fix.lat, fix.lon];
  if (openingAngle >= 360) {
    return [arc(centre, outer, 0, 360), inner > 0 ? arc(centre, inner, 0, 360) : []];
  }
  const far = arc(centre, outer, startAngle, openingAngle);
  const near = inner > 0 ? arc(centre, inner, startAngle, openingAngle).reverse() : [centre];
  return [[...far, ...near]];
}

/** The corners of a polygon or of a prism's base, continuous across 180°; the last is not the first. */
function base(fix, { ring = [] }) {
  const corners = ring.map(([latitude, longitude]) => [latitude, beside(longitude, fix.lon)]);
  const [first, last] = [corners[0], corners.at(-1)];
  if (corners.length > 1 && first[0] === last[0] && first[1] === last[1]) corners.pop();
  return [corners];
}

function beside(longitude, centre) {
  return longitude - 360 * Math.round((longitude - centre) / 360);
}

/** Corners of an arc, both ends included; of a whole turn its first once. */
function arc(centre, radius, start, opening) {
  const count = Math.max(2, Math.ceil((STEPS * opening) / 360));
  const corners = [];
  for (let step = 0; step <= count; step += 1) {
    if (step === count && opening >= 360) break;
    corners.push(destination(centre, start + (opening * step) / count, radius));
  }
  return corners;
}
