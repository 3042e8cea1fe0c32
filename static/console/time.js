/** Times for people: local on the face, UTC in the title. */

const PAGE_LANGUAGE = document.documentElement.lang || undefined;
const two = (number) => String(number).padStart(2, "0");

/** "12:03:04" in local time. @param {number|string} when milliseconds or RFC 3339 */
export function clockTime(when) {
  const date = new Date(when);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** "2031-05-07 10:03:04 UTC". */
export function utcTime(when) {
  return `${new Date(when).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** A key that is equal for two times of the same local day. */
export function dayKey(when) {
  const date = new Date(when);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

const dayFormat = new Intl.DateTimeFormat(PAGE_LANGUAGE, {
  weekday: "long", year: "numeric", month: "long", day: "numeric",
});

/** "Wednesday 7 May 2031", in the language of the page. */
export function dayName(when) {
  return dayFormat.format(new Date(when));
}

/** "14 s", "3 min 05 s", "1 h 20 min"; never negative. @param {number} milliseconds */
export function age(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** Write a time into a `<time>` element, local on its face and UTC in its title. */
export function showTime(element, when) {
  element.dateTime = new Date(when).toISOString();
  element.textContent = clockTime(when);
  element.title = utcTime(when);
}

const zoneFormat = new Intl.DateTimeFormat(PAGE_LANGUAGE, { timeZoneName: "short" });

/** Short name of this desk's time zone, such as "CET". */
export function zoneName(when) {
  return zoneFormat.formatToParts(new Date(when)).find((part) => part.type === "timeZoneName").value;
}
