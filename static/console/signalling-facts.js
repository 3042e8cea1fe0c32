/** What a chat's SIP headers say besides, in words: the way that the call came, and the rest. */
import { languageWord, numberWord } from "./words.js";

const CAUSES = new Map([
  [302, "sent on from there"], [404, "unknown there"], [408, "no answer there"], [480, "not reachable there"],
  [486, "busy there"], [487, "passed on while ringing"], [503, "overloaded or out of order"], [600, "busy everywhere"],
  [603, "declined there"],
]);

const LABELS = [
  ["subject", "Subject"], ["organization", "Organisation"], ["languages", "Languages"], ["incident", "Incident"],
  ["source", "Source"], ["claimedSource", "Source (claimed)"], ["did", "Device (DID)"], ["deviceId", "Device's id"],
  ["registrationId", "Registration"], ["clientVersion", "Version of the app"], ["accessNetwork", "Access network"], ["priority", "Priority said"],
  ["replyTo", "Answers go to"], ["geolocationRouting", "Location used for routing"],
  ["geolocationError", "Trouble with the location"], ["acceptContact", "Wanted features"], ["date", "Date"],
  ["inReplyTo", "In reply to"], ["require", "Required"], ["unsupported", "Not supported"], ["callInfo", "Call-Info"],
];

/** "Why it went on": the words of the Reason, else of its number. */
export function reasonWord({ cause, reason }) {
  const known = CAUSES.get(cause) ?? (cause ? `reason ${cause}` : "");
  return [known, reason && reason.toLowerCase() !== known ? `“${reason}”` : ""].filter(Boolean).join(" ");
}

/** The stations of a call, first to last. @returns {{place: string, why: string}[]} */
export function stations(cameVia = []) {
  return cameVia.map((entry) => ({ place: placeWord(entry.uri), why: reasonWord(entry) }));
}

/** "Emergency service" URNs read as such; all else as its host or number. */
function placeWord(uri) {
  return /^urn:/i.test(uri) ? uri : numberWord(uri.split(";")[0]);
}

/** Everything else that is known, as rows; nothing twice. @param {object} signalling */
export function signallingRows(signalling = {}) {
  const { cameVia, ...rest } = signalling;
  const rows = LABELS.filter(([key]) => rest[key] !== undefined && rest[key] !== "")
    .map(([key, label]) => [label, wordsOf(key, rest[key])]);
  const known = new Set(LABELS.map(([key]) => key));
  for (const [key, value] of Object.entries(rest)) {
    if (!known.has(key) && value) rows.push([key, wordsOf(key, value)]);
  }
  return rows;
}

function wordsOf(key, value) {
  if (key === "languages") return value.map((tag) => languageWord(tag)).join(", ");
  return Array.isArray(value) ? value.join(", ") : typeof value === "object" ? JSON.stringify(value) : String(value);
}
