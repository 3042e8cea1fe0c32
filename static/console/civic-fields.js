/** Names of the elements of a civic address (RFC 4776, RFC 5139), most telling first. */
const NAMES = [
  ["NAM", "Name of the place"], ["LMK", "Landmark"], ["LOC", "How to find it"],
  ["RD", "Street"], ["STP", "Before the name"], ["STS", "Kind of street"], ["PRD", "Direction before"], ["POD", "Direction after"],
  ["PRM", "Before the street"], ["POM", "After the street"], ["RDSEC", "Section of the street"],
  ["RDBR", "Branch of the street"], ["RDSUBBR", "Side branch"], ["HNO", "House number"],
  ["HNS", "Number's suffix"], ["BLD", "Building"], ["FLR", "Floor"], ["UNIT", "Unit"], ["ROOM", "Room"],
  ["SEAT", "Seat"], ["PLC", "Kind of place"], ["PC", "Postcode"], ["PCN", "Postal town"],
  ["POBOX", "PO box"], ["A3", "Town"], ["A4", "District of the town"], ["A5", "Neighbourhood"],
  ["A6", "Street or block"], ["A2", "District"], ["A1", "State or province"], ["country", "Country"],
  ["ADDCODE", "Address code"],
];
const KNOWN = new Set(NAMES.map(([name]) => name));

/** The elements that an address has, as [name for people, value]. @param {object} civic */
export function civicRows(civic) {
  const shown = NAMES.filter(([name]) => civic[name]).map(([name, label]) => [label, civic[name]]);
  const others = Object.entries(civic).filter(([name, value]) => !KNOWN.has(name) && value);
  return [...shown, ...others].map(([label, value]) => [label, String(value)]);
}
