const WORDS = { done: "Done: ", failed: "Failed: ", current: "Under way: ", waiting: "Next: " };

/** List items of the steps that a chat goes through, each "done", "current", "waiting" or "failed". */
export function stepItems(steps) {
  return steps.map(({ text, state }) => {
    const item = document.createElement("li");
    item.dataset.state = state;
    if (state === "current") item.setAttribute("aria-current", "step");
    const word = document.createElement("span");
    word.className = "unseen";
    word.textContent = WORDS[state];
    item.append(word, text);
    return item;
  });
}
