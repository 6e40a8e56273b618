// Says each <time> in the reader's own zone: relative within a day, the date beyond, and keeps it
// true while the page stays open. The server's UTC words stay where this does not run.
import { said } from "./words.js";

const RELATIVE = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
const DATE = new Intl.DateTimeFormat(document.documentElement.lang, {
  dateStyle: "medium",
  timeStyle: "short",
});
const DAY_S = 86_400;

/** @param {Date} moment @param {Date} now */
export function words(moment, now) {
  const seconds = (now.getTime() - moment.getTime()) / 1000;
  if (seconds < 45) return said("just_now");
  if (seconds < 45 * 60) return RELATIVE.format(-Math.round(seconds / 60), "minute");
  if (seconds < DAY_S) return RELATIVE.format(-Math.round(seconds / 3600), "hour");
  return DATE.format(moment);
}

function refresh() {
  const now = new Date();
  for (const time of document.querySelectorAll("time")) {
    const moment = new Date(time.dateTime);
    const said = words(moment, now);
    if (time.textContent !== said) time.textContent = said;
    time.title = DATE.format(moment);
  }
}

refresh();
setInterval(refresh, 15_000);
document.addEventListener("proteus:rows", refresh);
document.addEventListener("htmx:afterSwap", refresh);
document.addEventListener("htmx:oobAfterSwap", refresh);
