/**
 * What every dialog of the console does alike: buttons with data-dismiss close it without an
 * answer, Ctrl+Enter gives the answer of its submit button.
 */
export function workable(dialog) {
  dialog.addEventListener("click", (event) => {
    if (event.target.closest("[data-dismiss]")) dialog.close("");
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.ctrlKey) return;
    event.preventDefault();
    const form = dialog.querySelector("form");
    form.requestSubmit(form.querySelector("[type=submit]")); // its value is the dialog's answer
  });
}

/** An option of a select. */
export function option(value, label) {
  const element = document.createElement("option");
  element.value = value;
  element.textContent = label;
  return element;
}
