import { endedWord, isTest, serviceWord } from "./words.js";

const START = 257;
const STOP = 258;
const DATA_TYPES = /xml$|^multipart\//;

/**
 * The quiet line that an event leaves in the conversation, or "" where its message says it all.
 * @param {{kind: string, actor: string, data: object}} event
 * @param {(username: string) => string} nameOf
 * @param {{lostAfter: number, dispositions: {value: string, label: string}[]}} psap
 */
export function eventWords(event, nameOf, psap) {
  const words = WORDS[event.kind];
  return words ? words(event.data ?? {}, actorOf(event, nameOf), psap, nameOf) : "";
}

function actorOf(event, nameOf) {
  const [kind, username] = (event.actor ?? "").split(":");
  return kind === "calltaker" && username ? nameOf(username) : "";
}

const WORDS = {
  "chat-opened": (data) => {
    const service = serviceWord(data.service) + (isTest(data.service) ? " (test)" : "");
    if (data.standalone) return `Single message outside any chat · ${service}`;
    if (data.linkedTo) return `Chat opened · ${service} · same call as #${data.linkedTo}, but another caller`;
    if (data.recovered) return `Chat joined in the middle: its start was never received · ${service}`;
    return `Chat opened · ${service}`;
  },
  "session-stopped": (data) => `Chat ${endedWord(data.endedBy)}`,
  "session-reopened": () => "The caller is back: chat open again",
  "liveness-changed": (data, actor, psap) => ({
    lost: `Connection to the phone lost: no sign of life for ${psap.lostAfter} s`,
    background: "The app went to the background",
    alive: "The phone answers again",
  })[data.liveness] ?? "",
  "chat-claimed": (data, actor, psap, nameOf) => `Answered by ${actor || nameOf(data.owner)}`,
  "chat-released": (data, actor, psap, nameOf) =>
    data.reason === "lease"
      ? `The console of ${data.owner ? nameOf(data.owner) : "its call-taker"} fell silent: ringing again`
      : `Given back to the queue by ${actor || nameOf(data.owner)}`,
  "chat-closed": (data, actor, psap) => {
    const label = psap.dispositions.find((one) => one.value === data.disposition)?.label;
    return `Closed${actor ? ` by ${actor}` : ""}: ${label ?? data.disposition}`;
  },
};

/** Parts that a person would want to know of: not text, position or caller data. */
export function attachmentsOf(message) {
  return (message.parts ?? []).filter(
    (part) => part.flag || !(part.contentType.startsWith("text/") || DATA_TYPES.test(part.contentType)),
  );
}

/** The line for a message that has neither text nor attachment, or "" when it needs none. */
export function wordlessWords(message, fixes) {
  if (fixes.length) return message.type === START ? "" : "New position from the phone";
  if (message.direction === "out" || message.type === START || message.type === STOP) return "";
  return message.type === 259 ? "A message without text" : "";
}
