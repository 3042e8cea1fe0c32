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

/** "within 25 m", "within 1.2 km", "a point". */
export function accuracy(fix) {
  if (fix.radius === null || fix.radius === undefined) return fix.shape === "Point" ? "point" : fix.shape;
  return fix.radius < 1000 ? `± ${Math.round(fix.radius)} m` : `± ${(fix.radius / 1000).toFixed(1)} km`;
}
