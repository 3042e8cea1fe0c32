/** Civic addresses (RFC 5139) as people write them on an envelope. */

// Where the house number stands before the street, and the postcode after the town.
const NUMBER_FIRST = new Set(["AU", "CA", "FR", "GB", "IE", "IN", "LU", "NZ", "US", "ZA"]);

/** "Hauptstraße 12a, floor 3, 5020 Salzburg, AT"; "" when nothing of it is known. */
export function postalLine(civic) {
  if (!civic) return "";
  const of = (...names) => names.map((name) => civic[name]).filter(Boolean).join(" ");
  const named = (word, name) => civic[name] && `${word} ${civic[name]}`;
  const swapped = NUMBER_FIRST.has((civic.country ?? "").toUpperCase());
  const inOrder = (first, second) => (swapped ? [second, first] : [first, second]).filter(Boolean).join(" ");
  const road = of("PRM", "PRD", "STP", "RD", "STS", "POD", "POM") || of("A6");
  return [
    of("NAM"), of("LMK"),
    inOrder(road, [civic.HNO, civic.HNS].filter(Boolean).join("")),
    named("building", "BLD"), named("unit", "UNIT"), named("floor", "FLR"), named("room", "ROOM"),
    of("LOC"),
    inOrder(of("PC"), of("PCN") || of("A3") || of("A2")),
    of("A4") || of("A5"), of("A1"), of("country").toUpperCase(),
  ].filter(Boolean).join(", ");
}
