/**
 * Make a change, and keep the focus: on its element where that has only moved, else in a new place.
 * It would fall to the top of the page, and the next key would mean something else.
 * @param {() => void} change @param {() => ?HTMLElement} refuge where the focus goes then
 */
export function keepingFocus(change, refuge) {
  const before = document.activeElement;
  change();
  if (!before || before === document.body) return;
  if (!before.isConnected || before.disabled || before.closest("[hidden]")) refuge()?.focus();
  else if (document.activeElement === document.body) before.focus({ preventScroll: true });
}
