import { keepingFocus } from "./focus.js";
import { reportWords } from "./report-dialog.js";
import { showTime } from "./time.js";

/** The button that reports a source, and what became of the reports. Emits "report". */
export class ReportPanel extends EventTarget {
  #box;
  #button;
  #list;
  #nameOf;
  #shown = "";

  constructor(document, { nameOf }) {
    super();
    this.#box = document.getElementById("reports");
    this.#button = document.getElementById("report-this");
    this.#list = this.#box.querySelector("ul");
    this.#nameOf = nameOf;
  }

  connect() {
    this.#button.addEventListener("click", () => this.dispatchEvent(new Event("report")));
  }

  /** @param {object[]} reports @param {boolean} may report the chat on screen */
  show(reports, may) {
    const shown = JSON.stringify([reports, may]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#list.replaceChildren(...reports.map((report) => this.#itemOf(report)));
    keepingFocus(() => {
      this.#button.hidden = !may;
      this.#box.hidden = !may && reports.length === 0;
    }, () => document.getElementById("caller-body"));
  }

  #itemOf(report) {
    const item = document.createElement("li");
    item.dataset.status = report.status;
    const by = report.by?.name ?? (report.by ? this.#nameOf(report.by) : "");
    const time = document.createElement("time");
    showTime(time, report.at);
    const reason = document.createElement("bdi");
    reason.textContent = report.reason ? ` (${report.reason})` : "";
    item.append(`Source reported${by ? ` by ${by}` : ""} at `, time, reason, `: ${reportWords(report)}`);
    return item;
  }
}
