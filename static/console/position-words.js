/** What a fix says besides its coordinates, in words (RFC 5491, RFC 7459, RFC 5139). */
import { postalLine } from "./civic-address.js";
import { civicRows } from "./civic-fields.js";
import { accuracy, metres } from "./coordinates.js";
import { hostOf } from "./reference-words.js";
import { placed, reach } from "./shape-outline.js";
import { methodWord } from "./words.js";

const USUAL_CONFIDENCE = 95; // RFC 7459, 5: of a shape that states none

const SOURCES = new Map([
  ["device", "of the phone"], ["person", "of the person"], ["tuple", ""], ["service", ""], ["alert", "area of the alert"],
]);

/** The fix whose coordinates stand for `fix`: itself, else of its message, else the latest that has some. */
export function placeOf(fix, fixes) {
  if (!fix || placed(fix)) return fix ?? null;
  const beside = fixes.findLast((one) => one.messageId === fix.messageId && placed(one));
  return beside ?? fixes.slice(0, fixes.indexOf(fix) + 1).findLast(placed) ?? null;
}

/** The civic address of a fix or of another of its message. @returns {?{line: string, rows: [string, string][]}} */
export function addressOf(fix, fixes) {
  const civic = fix.civic ?? fixes.findLast((one) => one.messageId === fix.messageId && one.civic)?.civic;
  if (!civic) return null;
  const rows = civicRows(civic);
  return rows.length ? { line: postalLine(civic) || rows.map(([, value]) => value).join(", "), rows } : null;
}

/** "± 120 m × 60 m · 95 % sure · altitude 312 m": shape, confidence, altitude. */
export function sureWords(fix) {
  const shape = shapeWords(fix);
  const extended = reach(fix) > 0;
  const sure = !extended ? "" : fix.confidence === null || fix.confidence === undefined
    ? `${USUAL_CONFIDENCE} % sure` : `${Math.round(fix.confidence)} % sure`;
  const high = Number.isFinite(fix.altitude) ? `altitude ${Math.round(fix.altitude)} m` : "";
  return [shape, sure, high].filter(Boolean).join(" · ");
}

/** A shape in words, with what its drawing alone would not say. */
export function shapeWords(fix) {
  const of = fix.geometry ?? {};
  switch (fix.shape) {
    case "Sphere": return `${accuracy(fix)}, up and down too`;
    case "Ellipsoid": return `${accuracy(fix)}, ± ${metres(of.verticalAxis ?? 0)} up and down`;
    case "ArcBand": return `${metres(of.innerRadius ?? 0)} to ${metres(of.outerRadius)} from the mast, `
      + `${degrees(of.startAngle)} to ${degrees((of.startAngle ?? 0) + of.openingAngle)}`;
    case "Polygon": return `an area, up to ${metres(reach(fix))} from its centre`;
    case "Prism": return `an area, up to ${metres(reach(fix))} from its centre, ${metres(of.height ?? 0)} high`;
    default: return accuracy(fix);
  }
}

function degrees(angle = 0) {
  return `${Math.round(((angle % 360) + 360) % 360)}°`;
}

/** Where a fix comes from: method, whose it is, and the server that it was fetched from. */
export function sourceWords(fix, reference) {
  const fetched = !fix.reference ? "" : reference ? `by reference (${hostOf(reference.url)})` : "by reference";
  return [methodWord(fix.method), SOURCES.get(fix.source) ?? fix.source, fetched].filter(Boolean).join(" · ");
}
