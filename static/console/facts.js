/** Elements of the lists of facts: what is called what, with a badge where one matters. */

/** A row of a `dl.facts`. @param {[string, string]|null} badge its words and its class */
export function factRow(label, text, badge = null) {
  const box = document.createElement("div");
  const term = document.createElement("dt");
  term.textContent = label;
  const value = document.createElement("dd");
  const words = document.createElement("bdi");
  words.textContent = text;
  value.append(words);
  if (badge) value.append(" ", badgeOf(badge));
  box.append(term, value);
  return box;
}

/** A heading between the rows of a `dl.facts`. */
export function factHeading(text) {
  const box = document.createElement("div");
  box.className = "facts-heading";
  const term = document.createElement("dt");
  term.textContent = text;
  box.append(term);
  return box;
}

export function badgeOf([text, kind]) {
  const mark = document.createElement("span");
  mark.className = `badge ${kind}`;
  mark.textContent = text;
  return mark;
}

/** Rows as a list of facts of their own. @param {[string, string][]} rows */
export function factList(rows) {
  const list = document.createElement("dl");
  list.className = "facts";
  list.append(...rows.map(([label, value]) => factRow(label, value)));
  return list;
}
