import { endedWord, isTest, numberWord, serviceWord } from "./words.js";

const START = 257;
const STOP = 258;
// Shown as positions or as data of the caller; kept and proved like every other part.
const READ_TYPES = /^multipart\/|\/(pidf|emergencycalldata\.[\w.]+|cap|addcallsub|held)\+xml$/i;

/**
 * The quiet line that an event leaves in the conversation, or "" where its message says it all.
 * @param {{kind: string, actor: string, data: object}} event
 * @param {(username: string) => string} nameOf
 * @param {{lostAfter: number, dispositions: {value: string, label: string}[]}} psap
 * @param {(uri: string) => string} peerName
 */
export function eventWords(event, nameOf, psap, peerName = numberWord) {
  const words = WORDS[event.kind];
  return words ? words(event.data ?? {}, actorOf(event, nameOf), { psap, nameOf, peerName }) : "";
}

/** Whether the words of an event are among those that are loaded when needed: seldom-words.js. */
export function isSeldom({ kind, data }) {
  return SELDOM.test(kind) || (kind === "chat-released" && Boolean(data?.transfer));
}

const SELDOM = /^((redirect|transfer|custody|relay|source|reference|location|data|fetch)-|chat-(redirect|transfer|arriv|not-taken))/;

export function actorOf(event, nameOf) {
  const [kind, username] = (event.actor ?? "").split(":");
  return kind === "calltaker" && username ? nameOf(username) : "";
}

const WORDS = {
  "chat-opened": (data, actor, { peerName }) => {
    const service = serviceWord(data.service) + (data.test || isTest(data.service) ? " (test)" : "");
    if (data.alert) return `Data received, nobody is writing · ${service}`;
    if (data.cameFrom) return `Chat passed on to us by ${peerName(data.cameFrom)} · ${service}`;
    if (data.standalone) return `Single message outside any chat · ${service}`;
    if (data.linkedTo) return `Chat opened · ${service} · same call as #${data.linkedTo}, but another caller`;
    if (data.recovered) return `Chat joined in the middle: its start was never received · ${service}`;
    return `Chat opened · ${service}`;
  },
  "session-stopped": (data) => `Chat ${endedWord(data.endedBy)}`,
  "session-reopened": (data, actor, { peerName }) => {
    if (data.callBack) return `Chat opened again${by(actor)}: written to the caller`;
    return data.cameFrom ? `Chat passed back to us by ${peerName(data.cameFrom)}` : `The chat is open again${by(actor)}`;
  },
  "liveness-changed": (data, actor, { psap }) => ({
    lost: `Connection to the phone lost: no sign of life for ${psap.lostAfter} s`,
    background: "The app went to the background",
    alive: "The phone answers again",
  })[data.liveness] ?? "",
  "chat-claimed": (data, actor, { nameOf }) => `Answered by ${actor || nameOf(data.owner)}`,
  "chat-released": (data, actor, { nameOf }) =>
    data.reason === "lease"
      ? `The console of ${data.owner ? nameOf(data.owner) : "its call-taker"} fell silent: ringing again`
      : `Given back to the queue by ${actor || nameOf(data.owner)}`,
  "chat-closed": (data, actor, { psap }) => {
    const label = psap.dispositions.find((one) => one.value === data.disposition)?.label;
    return `Closed${actor ? ` by ${actor}` : ""}: ${label ?? data.disposition}`;
  },
  // The message itself says that it was passed on.
  "message-relayed": () => "",
  "chat-unprotected": (data) =>
    `No protected way to the caller: texts leave unencrypted${data.transport ? ` over ${data.transport.toUpperCase()}` : ""}`,
  "test-answered": () => "Test call, answered and ended by itself",
};

const by = (actor) => (actor ? ` by ${actor}` : "");

/** Parts that a person would want to know of: not the text, positions or caller data. */
export function attachmentsOf(message) {
  return (message.parts ?? []).filter(
    (part) => part.flag || part.name || part.inline
      || !(/^text\/(plain|html|vcard)\b/i.test(part.contentType) || READ_TYPES.test(part.contentType)),
  );
}

/** The line for a message that has neither text nor attachment, or "" when it needs none. */
export function wordlessWords(message, fixes, { alert = false } = {}) {
  if (alert) return fixes.length ? "With a position" : "";
  if (fixes.length) return message.type === START ? "" : "New position from the phone";
  if (message.direction === "out" || message.type === START || message.type === STOP) return "";
  return message.type === 259 ? "A message without text" : "";
}
