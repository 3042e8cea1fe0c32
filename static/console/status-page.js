// Keeps the status page up to date, unless somebody is reading with the keyboard or has said no.

const EVERY = 5000;
const follow = document.querySelector("#follow");

function isBeingRead(main) {
  const selection = document.getSelection();
  return main.contains(document.activeElement) ||
    (selection && !selection.isCollapsed && main.contains(selection.anchorNode));
}

async function update() {
  const main = document.querySelector("#status-main");
  if (!follow.checked || document.hidden || isBeingRead(main)) return;
  const answer = await fetch(location.href, { cache: "no-store" });
  if (answer.redirected || answer.status === 403) return location.reload();
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  main.replaceChildren(...page.querySelector("#status-main").childNodes);
  document.querySelector("#as-of").replaceWith(page.querySelector("#as-of"));
}

setInterval(() => update().catch(() => {}), EVERY); // the time shown says how old the page is
