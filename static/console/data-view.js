import { describe } from "./data-blocks.js";
import { badgeOf, factList } from "./facts.js";
import { languageWord } from "./words.js";

/**
 * One block of additional data as an element: first what must be read, then its facts.
 * Blocks about machines and contracts stay folded, unless `folded` says otherwise.
 */
export function dataView(block, { folded } = {}) {
  const { title, tone, lead, rows, quiet } = describe(block);
  const shut = folded ?? quiet;
  const box = document.createElement(shut ? "details" : "section");
  box.className = "data-block";
  box.dataset.tone = tone;
  box.dataset.title = title;
  const heading = document.createElement(shut ? "summary" : "h3");
  heading.textContent = shut && block.language ? `${title} (${languageWord(block.language)})` : title;
  const [, severity] = rows.find(([label]) => label === "Severity") ?? [];
  if (severity) heading.append(" ", badgeOf([severity, tone === "grave" ? "grave-badge" : "unsure"]));
  box.append(heading);
  for (const [kind, text] of lead) {
    const line = document.createElement("p");
    line.className = `data-${kind}`;
    line.dir = "auto";
    line.textContent = text;
    box.append(line);
  }
  if (rows.length) box.append(factList(rows.filter(([label]) => label !== "Severity")));
  else if (lead.length === 0) box.append("Nothing that could be read.");
  return box;
}
