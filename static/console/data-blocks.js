/** Blocks of additional data (RFC 7852), alerts (CAP) and measurements, put into words. */
import { kindWord } from "./reference-words.js";
import { clockTime, dayKey, utcTime } from "./time.js";
import { languageWord } from "./words.js";

const MOST_ROWS = 80;
const DEEPEST = 4;
const OWN_KEYS = new Set(["kind", "messageId"]);

// By the element's name in lower case without punctuation, however its reader spelt it.
const LABELS = new Map(Object.entries({
  name: "Name", organization: "Organisation", organisation: "Organisation", phone: "Phone", email: "E-mail", address: "Address", gender: "Gender", birthday: "Born",
  language: "Language", languages: "Languages", note: "Note", related: "Contact", privacy: "Privacy",
  id: "Id", idseries: "Kind of that id", type: "Kind", contact: "Contact", contactname: "Contact's name",
  contactphone: "Contact's phone", contactemail: "Contact's e-mail", contactaddress: "Contact's address",
  subcontractorprincipal: "On behalf of", subcontractorpriority: "Who answers first",
  environment: "Used for", service: "Service", mobility: "Mobility", classification: "Device",
  manufacturer: "Manufacturer", model: "Model", identifier: "Identifier", reference: "Reference",
  specifictype: "Kind of device data", specificdata: "More on the device", comment: "Comment",
  event: "Event", severity: "Severity", urgency: "Urgency", certainty: "Certainty", category: "Category",
  sender: "Sender", sendername: "Sender", sent: "Sent", effective: "Holds from", onset: "Begins",
  expires: "Holds until", area: "Area", areadesc: "Area", areas: "Area", status: "Status",
  msgtype: "Kind of message", messagetype: "Kind of message", scope: "For whom", source: "Source",
  incidents: "Incident", web: "More at", responsetype: "Asked to", description: "Description",
  parameters: "Details", formatversion: "Version of the format", size: "Bytes", sha256: "SHA-256",
}));

const GRAVE = { extreme: "grave", severe: "grave", moderate: "warn", minor: "", unknown: "" };

/**
 * A block as it is shown: title, what must be read first, and rows of the rest.
 * `quiet` blocks are about machines and contracts and stay folded.
 * @returns {{title: string, tone: string, lead: [string, string][], rows: [string, string][], quiet: boolean}}
 */
export function describe(block) {
  const title = kindWord(block.kind);
  const quiet = ["ProviderInfo", "ServiceInfo", "DeviceInfo"].includes(block.kind);
  if (block.kind === "Alert") return alert(block, title);
  if (block.kind === "Sensor") return { title, tone: "", lead: [], rows: sensorRows(block), quiet };
  return { title, tone: "", lead: [], rows: rowsOf(block), quiet };
}

/** What to do stands before what it is about: headline, instruction, then how grave. */
function alert(block, title) {
  const { headline, instruction, description, ...rest } = block;
  const severity = words(rest.severity);
  const first = [
    ["headline", words(headline) || words(rest.event)],
    ["instruction", words(instruction)],
    ["description", words(description)],
  ];
  const rows = rowsOf(rest);
  const order = ["Severity", "Urgency", "Certainty", "Event", "Area", "Begins", "Holds until", "Sender"];
  const place = ([label]) => (order.indexOf(label) + 1) || order.length + 1;
  rows.sort((a, b) => place(a) - place(b));
  const lead = first.filter(([, value]) => value);
  return { title, tone: GRAVE[severity.toLowerCase()] ?? "", lead, rows, quiet: false };
}

/** Measurements in one row each: "temperature: 21.5 Cel (2031-05-07 12:03:00 UTC)". */
function sensorRows(block) {
  const { values = [], more, ...rest } = block;
  const rows = values.map(({ name, value, unit, time }) => {
    const amount = [words(value), unit].filter(Boolean).join(" ");
    return [name || "Value", time ? `${amount} (${secondsWord(time)})` : amount];
  });
  if (more) rows.push(["More", "There are further values; the attachment has them all"]);
  return [...rows, ...rowsOf(rest)];
}

/** Seconds since 1970 (SenML) as a time; anything else as it stands. */
function secondsWord(time) {
  const seconds = Number(time);
  return Number.isFinite(seconds) && Math.abs(seconds) < 8e12 ? utcTime(seconds * 1000) : words(time);
}

function rowsOf(block) {
  const rows = [];
  collect(block, "", 0, rows);
  return rows.slice(0, MOST_ROWS);
}

function collect(value, above, depth, rows) {
  for (const [key, one] of Object.entries(value)) {
    if (depth === 0 && OWN_KEYS.has(key)) continue;
    if (one === null || one === undefined || one === "") continue;
    const label = above ? `${above}: ${labelOf(key).toLowerCase()}` : labelOf(key);
    const nested = typeof one === "object" && !Array.isArray(one);
    if (nested && depth < DEEPEST) collect(one, labelOf(key), depth + 1, rows);
    else rows.push([label, valueWord(key, one)]);
  }
}

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

function valueWord(key, value) {
  const text = words(value);
  if (/^language$/i.test(key)) return languageWord(text);
  if (MOMENT.test(text) && !Number.isNaN(Date.parse(text))) return `${dayKey(text)} ${clockTime(text)}`;
  return text;
}

function labelOf(key) {
  const known = LABELS.get(key.toLowerCase().replace(/[^a-z0-9]/g, ""));
  if (known) return known;
  const spaced = key.replace(/[_-]+/g, " ").replace(/([a-z0-9])([A-Z])/g, "$1 $2").trim();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1).toLowerCase();
}

/** Any value as one line. */
export function words(value) {
  if (value === null || value === undefined) return "";
  if (value === true) return "yes";
  if (value === false) return "no";
  if (Array.isArray(value)) return value.map(words).filter(Boolean).join(", ");
  if (typeof value === "object") return Object.values(value).map(words).filter(Boolean).join(", ");
  return String(value);
}
