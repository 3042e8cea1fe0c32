/** What the latest transfer of a chat means for whoever looks at it, in words (clause 6.2.6). */

const UNDER_WAY = new Set(["negotiating", "accepted", "stalling", "executing", "uncertain"]);

/**
 * @param {?object} transfer the card's @param {{mine: boolean, session: string}} of the chat
 * @returns {?{tone: "calm"|"wait"|"uncertain"|"done"|"failed", title: string, advice: string,
 *   steps: {text: string, state: string}[], until: ?{at: string, words: string},
 *   handOver: boolean, keep: boolean, over: boolean}} null when there is nothing to say; `until` is
 *   the time that runs, `over` means that it can be put away once read
 */
export function transferWords(transfer, { mine, session }) {
  if (!transfer) return null;
  const words = (transfer.side === "in" ? INWARD : OUTWARD)[transfer.state]?.(transfer, { mine, session });
  if (!words) return null;
  return {
    tone: "calm", advice: "", until: null, handOver: false, keep: false, over: false, ...words,
    steps: stepsOf(transfer),
  };
}

/** Whether a transfer is neither done nor given up. */
export function isUnderWay(transfer) {
  return UNDER_WAY.has(transfer?.state);
}

/** Seconds left, never negative, and in words once none are. */
export function countdown(words, milliseconds) {
  const seconds = Math.ceil(milliseconds / 1000);
  return seconds > 0 ? `${words} ${seconds} s` : "any moment now";
}

const because = (cause) => (cause ? `: ${cause.replace(/\.\s*$/, "")}` : "");
const stays = ({ mine, session }) =>
  session === "open" ? (mine ? "The chat stays yours." : "The chat stays here.") : "";
const back = ({ mine, session }) => (session === "open" && mine ? "The chat is yours again." : "");

const OUTWARD = {
  negotiating: ({ peer, dueAt }) => ({
    title: `${peer} is asked to take this chat over`,
    advice: "You go on with the caller meanwhile.",
    until: { at: dueAt, words: "answer within" },
    keep: true,
  }),
  accepted: ({ peer, atOnce, expiresAt, dueAt }) => atOnce ? {
    title: `${peer} accepts: the chat is handed over`, keep: true,
  } : {
    tone: "wait",
    title: `${peer} accepts this chat`,
    advice: "Hand over when you and the caller are ready. You can still write.",
    until: { at: expiresAt ?? dueAt, words: "hand over within" },
    handOver: true,
    keep: true,
  },
  stalling: ({ peer, dueAt }) => ({
    title: `Handing over to ${peer}: the app is told to wait`,
    advice: "Nothing is sent to the caller any more.",
    until: { at: dueAt, words: "the app answers within" },
    keep: true,
  }),
  executing: ({ peer, executionExpiresAt, dueAt }) => ({
    title: `Handing over to ${peer}: it takes the conversation`,
    advice: "If it does not, the chat comes back to you by itself.",
    until: { at: executionExpiresAt ?? dueAt, words: "done or back within" },
  }),
  uncertain: ({ peer, dueAt }) => ({
    tone: "uncertain",
    title: `Custody uncertain: nobody knows whether ${peer} has this chat`,
    advice: `Call ${peer} and agree who writes to the caller. We keep asking; do not close this chat.`,
    until: { at: dueAt, words: "asked again for" },
  }),
  done: ({ peer }, { session }) => session === "transferred" && {
    tone: "done", title: `This chat is with ${peer} now. What still reaches us is passed on.`,
  },
  declined: ({ peer, cause }, of) => ({
    tone: "failed", title: `${peer} declines${because(cause)}. ${stays(of)}`.trim(), over: true,
  }),
  expired: ({ peer }, of) => ({
    tone: "failed", title: `The time to hand over to ${peer} has run out. ${stays(of)}`.trim(), over: true,
  }),
  failed: ({ peer, cause, expiresAt }, of) => ({
    tone: "failed",
    // Without a yes of the peer's the chat has never left.
    title: `Transfer to ${peer} failed${because(cause)}. ${expiresAt ? back(of) : stays(of)}`.trim(),
    over: true,
  }),
};

const INWARD = {
  executing: ({ peer, dueAt }) => ({
    title: `${peer} hands this chat over: the app is told to come to us`,
    advice: "Read what was written so far. You can write as soon as the app has come.",
    until: { at: dueAt, words: "here within" },
  }),
  uncertain: ({ peer }) => ({
    tone: "uncertain",
    title: `Custody uncertain: the app has not confirmed that it came to us`,
    advice: `${peer} may still have the caller. Call ${peer} and agree who writes. With the next word of the caller the chat is ours.`,
  }),
  released: ({ peer }, { session }) => session === "transferred" && {
    tone: "done", title: `${peer} has this chat again. What still reaches us is passed on.`,
  },
};

/** What is behind, what is going on and what comes; none where that is uncertain or over. */
function stepsOf({ side, state, peer, atOnce }) {
  const at = side === "in" ? INWARD_STEPS.indexOf(state) : OUTWARD_STEPS.indexOf(state);
  if (at < 0) return [];
  const steps = side === "in" ? [["conversation", "Conversation is here"], ["executing", "The app comes to us"]] : [
    ["negotiating", at > 0 ? `${peer} has accepted` : `${peer} answers`],
    ["accepted", "You hand over"],
    ["stalling", at > 2 ? "The app waits" : "The app is told to wait"],
    ["executing", `${peer} takes the chat`],
  ];
  const reached = state === "accepted" && atOnce ? at + 1 : at;
  return steps.map(([name, text], place) => ({
    name, text, state: place < reached ? "done" : place === reached ? "current" : "waiting",
  })).filter(({ name }) => name !== "accepted" || !atOnce);
}

const OUTWARD_STEPS = ["negotiating", "accepted", "stalling", "executing"];
const INWARD_STEPS = ["", "executing"];
