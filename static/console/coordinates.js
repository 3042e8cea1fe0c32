/** Coordinates as people read them out. */

/** "48.20821, 16.37382": five decimals are a metre. */
export function decimal(fix) {
  return `${fix.lat.toFixed(5)}, ${fix.lon.toFixed(5)}`;
}

/** "48°12′29.6″N 16°22′25.8″E" */
export function sexagesimal(fix) {
  return `${dms(fix.lat, "N", "S")} ${dms(fix.lon, "E", "W")}`;
}

function dms(degrees, positive, negative) {
  // Tenths of a second first, so that 59.96″ carries into the minute.
  const tenths = Math.round(Math.abs(degrees) * 36_000);
  const whole = Math.floor(tenths / 36_000);
  const minutes = Math.floor((tenths % 36_000) / 600);
  const seconds = ((tenths % 600) / 10).toFixed(1);
  const pad = (value, width) => String(value).padStart(width, "0");
  return `${whole}°${pad(minutes, 2)}′${pad(seconds, 4)}″${degrees < 0 ? negative : positive}`;
}

/** "± 25 m", "± 1.2 km", "± 120 × 60 m", "sector of 1.5 km", "area", "point", "address only". */
export function accuracy(fix) {
  const { semiMajorAxis, semiMinorAxis, outerRadius } = fix.geometry ?? {};
  if (semiMajorAxis) return `± ${metres(semiMajorAxis)} × ${metres(semiMinorAxis)}`;
  if (outerRadius) return `sector of ${metres(outerRadius)}`;
  if (fix.radius === null || fix.radius === undefined) return WORDS[fix.shape] ?? fix.shape;
  return `± ${metres(fix.radius)}`;
}

const WORDS = { Point: "point", Polygon: "area", Prism: "area", Civic: "address only" };

/** "25 m", "1.2 km" */
export function metres(length) {
  return length < 1000 ? `${Math.round(length)} m` : `${(length / 1000).toFixed(1)} km`;
}
