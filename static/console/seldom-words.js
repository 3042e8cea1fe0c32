import { actorOf } from "./event-words.js";

/**
 * The quiet lines of events that few chats have: passing on, taking over, fetching, reporting.
 * @param {{kind: string, actor: string, data: object}} event
 * @param {(username: string) => string} nameOf @param {(uri: string) => string} peerName
 * @param {Map<string, {reason: string, cause: string}>} transfers of the chat: events hold no content
 */
export function seldomWords(event, nameOf, peerName, transfers = new Map()) {
  const data = event.data ?? {};
  const uri = data.target ?? data.to ?? data.from;
  // Who another control room is, named as our list has it.
  const target = uri ? peerName(uri) : "another control room";
  const said = transfers.get(data.transfer) ?? {};
  return WORDS[event.kind]?.(data, actorOf(event, nameOf), { target, nameOf, peerName, said }) ?? "";
}

const WORDS = {
  "chat-redirecting": (data, actor, { target }) => `Redirect to ${target} begun${by(actor)}`,
  "chat-redirected": (data, actor, { target }) => `The chat is with ${target} now`,
  "redirect-failed": (data, actor, { target }) =>
    `Redirect to ${target} ended: ${data.cause || "no reason given"}. The chat is here again`,
  "transfer-requested": (data, actor, { target, said }) =>
    `${data.peer || target} is asked to take the chat over${by(actor)}${because(said.reason)}`
    + (data.override ? " (although the app is known to end its chat then)" : ""),
  "transfer-accepted": ({ expiryTime }) =>
    `The other control room accepts the chat${expiryTime ? ` for ${expiryTime} s` : ""}`,
  "transfer-declined": (data, actor, { said }) => `The other control room declines the chat${because(said.cause)}`,
  "transfer-cancelled": ({ cause }, actor) =>
    `Transfer called off${actor ? by(actor) : because(cause)}. The chat stays here`,
  "transfer-expired": () => "The accepted transfer was not carried out in time: the chat stays here",
  "chat-transferring": (data, actor, { target }) => `The app is told to wait for ${target}`,
  "transfer-stalled": () => "The app waits",
  "transfer-executing": () => "The conversation is being handed over",
  "custody-uncertain": ({ cause }) => `Custody uncertain: it is not known who has the chat${because(cause)}`,
  "chat-transferred": (data, actor, { target }) => `The chat is with ${target} now`,
  "transfer-failed": (data, actor, { target }) => `Transfer to ${target} failed${because(data.cause)}`,
  "custody-settled": (data, actor, { peerName }) =>
    `It is settled who has the chat${data.with ? `: ${peerName(data.with)}` : ""}`,
  "chat-arriving": (data, actor, { target, nameOf, said }) =>
    `Handed over by ${data.peer || target}${because(said.reason)} · `
    + (data.automatic ? "accepted by rule" : data.by ? `accepted by ${nameOf(data.by)}` : "accepted"),
  "chat-arrived": () => "The caller’s app follows us: the chat is here",
  "chat-not-taken": ({ cause }) => `Not taken over${because(cause)}`,
  "chat-released": (data, actor, { target }) => `${target} has the chat again`,
  "relay-failed": (data, actor, { target }) =>
    `A message could not be passed on to ${target}: ${data.sipStatus ? `SIP ${data.sipStatus} ` : ""}${data.cause ?? ""}`.trim(),
  "source-reported": (data, actor) =>
    data.status === "accepted" ? "The source was reported to the network, which took the report"
      : data.status === "failed" ? `The report of the source failed: ${[data.httpStatus, data.cause].filter(Boolean).join(" ")}`
        : `Report of the source begun${by(actor)}`,
  "reference-unlisted": (data) => `${hostOf(data)} is not on the list: nothing was fetched from there`,
  "reference-allowed": (data, actor) => `${hostOf(data)} is asked although it is not listed${by(actor)}`,
  "location-fetched": (data) =>
    Number(data.fixes) === 0 ? "The location was fetched and holds no position" : "The location was fetched",
  "data-fetched": (data) => `Fetched: ${data.kind || "data of the caller"}`,
  "fetch-failed": (data) => `Could not be fetched: ${data.cause || "no reason given"}`,
};

const hostOf = ({ url }) => (url ?? "").split("/")[2] ?? "A host";
const by = (actor) => (actor ? ` by ${actor}` : "");
const because = (cause) => (cause ? `: ${cause}` : "");
