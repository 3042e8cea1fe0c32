/** What codes of the protocol are called on screen; the one place to translate. */

const SERVICES = new Map([
  ["", "Emergency"],
  ["police", "Police"],
  ["fire", "Fire brigade"],
  ["ambulance", "Ambulance"],
  ["marine", "Sea rescue"],
  ["mountain", "Mountain rescue"],
  ["physician", "Physician"],
  ["poison", "Poison control"],
  ["gas", "Gas emergency"],
  ["animal-control", "Animal control"],
  ["ecall.manual", "eCall, by hand"],
  ["ecall.automatic", "eCall, automatic"],
]);

/** "Police" for urn:service:sos.police; tests are named as what they test. */
export function serviceWord(urn) {
  const labels = (urn ?? "").toLowerCase().replace(/^urn:service:/, "").split(".");
  const rest = labels.filter((label) => !["sos", "test", ""].includes(label)).join(".");
  if (!/^urn:service:/i.test(urn ?? "")) return urn || "Emergency";
  return SERVICES.get(rest) ?? rest;
}

/** Both spellings exist: urn:service:sos.test and urn:service:test.sos. */
export function isTest(urn) {
  return (urn ?? "").toLowerCase().replace(/^urn:service:/, "").split(".").includes("test");
}

const languages = new Intl.DisplayNames(["en"], { type: "language" });

/** "Austrian German" for de-AT, "German" without region; no language tag comes back as it is. */
export function languageWord(tag, { region = true } = {}) {
  if (!tag) return "";
  const first = tag.split(/[,;]/)[0].trim();
  try {
    return languages.of(region ? first : new Intl.Locale(first).language);
  } catch {
    return first;
  }
}

/** The first language that a caller names, as an attribute may hold it; "" when it is none. */
export function languageTag(tag) {
  return /^[a-z]{2,3}(-[a-z0-9]{1,8})*(?=\s*(?:[,;]|$))/i.exec((tag ?? "").trim())?.[0] ?? "";
}

/** Who the chat is with: the name, else the number. */
export function callerWord(card) {
  return card.caller.displayName || numberWord(card.caller.uri);
}

/** "+43 …" for sip:+43…@host and tel:+43…; other URIs without their scheme. */
export function numberWord(uri) {
  const bare = (uri ?? "").replace(/^(sips?|tel):/i, "");
  const user = bare.split("@")[0];
  return /^\+?[\d().-]{3,}$/.test(user) ? user : bare || "Unknown caller";
}

export const LIVENESS = {
  alive: "Phone answers",
  background: "App in background",
  lost: "Phone lost",
};

/** The same, short enough for a card. */
const LIVENESS_SHORT = { alive: "Phone answers", background: "Background", lost: "Phone lost" };

/** What a card says of the app; a message outside any chat is followed by no signs of life. */
export function lifeWord({ alert, standalone, session, liveness }) {
  if (alert) return "Data";
  if (standalone) return "Single message";
  return session === "open" ? LIVENESS_SHORT[liveness] ?? "" : "";
}

export const SESSION = {
  open: "open",
  stopped: "ended",
  redirecting: "being redirected",
  redirected: "redirected",
  transferring: "being transferred",
  transferred: "transferred",
  arriving: "being handed over",
};

const ENDED_BY = {
  caller: "by the caller",
  calltaker: "by us",
  peer: "by the other control room",
  system: "by the system",
};

/** "The chat was ended by the caller". */
export function endedWord(endedBy) {
  return `ended ${ENDED_BY[endedBy] ?? ""}`.trim();
}

const CANCELLED = { redirect: "was redirected", transfer: "was being transferred" };

/** What became of one of our texts, in words. @returns {{text: string, grave: boolean}} */
export function deliveryWord(message) {
  switch (message.status) {
    case "queued":
      return message.cause
        ? { text: `Not delivered yet, trying again: ${causeOf(message)}`, grave: true }
        : { text: "Queued", grave: false };
    case "sending": return { text: "Sending", grave: false };
    case "delivered": return { text: "Delivered", grave: false };
    case "deferred":
      return { text: "Deferred: phone out of reach, goes out when it is back", grave: true };
    case "cancelled":
      return { text: `Not sent: the chat ${CANCELLED[message.cause] ?? "had ended"}`, grave: true };
    case "failed": return { text: `Not delivered: ${causeOf(message)}`, grave: true };
    default: return { text: message.status ?? "", grave: false };
  }
}

function causeOf(message) {
  const { cause, sipStatus } = message;
  if (!sipStatus || cause === "no answer") return cause || "no reason given";
  const who = sipStatus >= 500 && sipStatus < 600 ? "fault in the network" : "refused by the phone or its network";
  return `${who} (SIP ${[sipStatus, cause?.replace(String(sipStatus), "").trim()].filter(Boolean).join(" ")})`;
}

/** What became of a message that came for a chat which is elsewhere; "" for all others. */
export function relayWords(relay, peerName) {
  if (!relay) return "";
  const name = peerName(relay.target);
  if (relay.status === "relayed") return `Passed on to ${name}`;
  if (relay.status === "failed") return `Could not be passed on to ${name}${relay.sipStatus ? ` (SIP ${relay.sipStatus})` : ""}`;
  return `Being passed on to ${name}`;
}

const FLAGS = new Map([
  ["invalid-text", "some characters could not be read"],
  ["truncated", "cut because of its size"],
  ["undecodable", "could not be decoded"],
  ["unsplittable", "broken, shown as it came"],
  ["nested-too-deep", "nested too deep, shown as it came"],
  ["not-asserted", "sender not confirmed by the network"],
  ["msg-id-gap", "a message before this one is missing"],
  ["out-of-order", "arrived after a later one"],
  ["msg-id-repeated", "its number came twice"],
  ["geolocation-part-missing", "names a location that is not in it"],
  ["geolocation-unusable", "names a location that cannot be fetched"],
  ["acknowledged-before-commit", "acknowledged to the phone before it was stored"],
]);

/** Flags that matter to a call-taker, in words. */
export function flagWords(flags) {
  return (flags ?? []).map((flag) => FLAGS.get(flag)).filter(Boolean);
}

const METHODS = new Map([
  ["gps", "GPS"], ["a-gps", "assisted GPS"], ["gnss", "satellites"], ["cell", "cell"],
  ["wifi", "Wi-Fi"], ["manual", "entered by hand"], ["network", "network"],
  ["device", "phone"], ["802.11", "Wi-Fi"], ["dhcp", "network"], ["otdoa", "cell timing"],
]);

export function methodWord(method) {
  return METHODS.get((method ?? "").toLowerCase()) ?? method ?? "";
}
