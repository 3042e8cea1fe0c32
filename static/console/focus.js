/**
 * Make a change, and give the focus a new place when the change took its element away: else it
 * would fall to the top of the page, and the next key would mean something else.
 * @param {() => void} change @param {() => ?HTMLElement} refuge where the focus goes then
 */
export function keepingFocus(change, refuge) {
  const before = document.activeElement;
  change();
  if (!before || before === document.body) return;
  if (!before.isConnected || before.disabled || before.closest("[hidden]")) refuge()?.focus();
}
