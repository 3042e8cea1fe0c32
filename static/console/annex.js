import { AlarmStrip } from "./alarm-strip.js";
import { CallBack } from "./call-back.js";
import { CallerPanel } from "./caller-panel.js";
import { ChatMarks } from "./chat-marks.js";
import { CloseDialog } from "./close-dialog.js";
import { ConfirmDialog } from "./confirm-dialog.js";
import { outlineAt } from "./country-outline.js";
import { DeclineDialog } from "./decline-dialog.js";
import { ErrandDesk } from "./errand-desk.js";
import { HandedOver } from "./handed-over.js";
import { OfferDesk } from "./offer-desk.js";
import { OfferList } from "./offer-list.js";
import { PassOnDialog } from "./pass-on-dialog.js";
import { hostOf } from "./reference-words.js";
import { PositionPanel } from "./position-panel.js";
import { RedirectStrip } from "./redirect-strip.js";
import { ReferenceList } from "./reference-list.js";
import { ReportDialog } from "./report-dialog.js";
import { ReportPanel } from "./report-panel.js";
import { TestCalls } from "./test-calls.js";
import { TransferDesk } from "./transfer-desk.js";
import { TransferStrip } from "./transfer-strip.js";
import { callerWord } from "./words.js";

/**
 * All of the screen that comes after the first paint: the caller's side, what sets a chat apart,
 * the dialogs, redirects, transfers, references, reports, test calls and the alarms of the instance.
 * One import brings it.
 */
export class Annex {
  #console;
  #card = null;
  #record = null;
  #caller;
  #position;
  #marks;
  #strip;
  #passOn;
  #transfer;
  #transfers;
  #offerList;
  #handedOver;
  #decline;
  #references;
  #callBack;
  #reports;
  #report;
  #alarms;
  offers;
  tests;

  #errands;

  /** @param console the Console @param identity */
  constructor(document, console, identity) {
    const outline = outlineAt(document.body.dataset.outlineUrl);
    const { store, clock, map, notices } = console;
    this.#console = console;
    this.confirm = new ConfirmDialog(document, { identity });
    this.closeDialog = new CloseDialog(document, { identity });
    this.#errands = new ErrandDesk(console);
    this.#caller = new CallerPanel(document, { identity, clock, lostAfter: () => store.psap.lostAfter });
    this.#position = new PositionPanel(document, { map, clock, outline, notices });
    this.#marks = new ChatMarks(document, { peerName: (uri) => store.peerName(uri) });
    this.#strip = new RedirectStrip(document, { store });
    this.#passOn = new PassOnDialog(document, { identity });
    this.#transfer = new TransferStrip(document, { store, clock });
    this.#transfers = new TransferDesk(console);
    this.#decline = new DeclineDialog(document);
    this.offers = new OfferDesk(console, this.#decline);
    this.#offerList = new OfferList(document, { store, clock });
    this.#handedOver = new HandedOver(document, { peerName: (uri, met) => store.peerName(uri, met) });
    this.#references = new ReferenceList(document);
    this.#callBack = new CallBack(document, { identity, drafts: console.drafts });
    this.#reports = new ReportPanel(document, { nameOf: (username) => store.nameOf(username) });
    this.#report = new ReportDialog(document, { identity });
    this.#alarms = new AlarmStrip(document, { store, notices });
    this.tests = new TestCalls(document, { address: document.body.dataset.tests });
  }

  connect() {
    const parts = [this.confirm, this.closeDialog, this.#caller, this.#position, this.#strip, this.#passOn, this.#transfer, this.#transfers, this.#decline, this.offers, this.#offerList,
      this.#references, this.#callBack, this.#reports,
      this.#report, this.#alarms, this.tests];
    for (const part of parts) part.connect();
    const { open, conversation, closing } = this.#console;
    const errands = this.#errands;
    this.closeDialog.addEventListener("close", ({ detail }) => closing.start(detail.card, detail));
    this.#position.addEventListener("show-message", ({ detail }) => conversation.reveal(detail));
    this.#passOn.addEventListener("pass-on", ({ detail }) => {
      if (detail.way === "transfer") this.#transfers.transfer(detail);
      else errands.redirect(detail);
    });
    this.#transfer.addEventListener("hand-over", ({ detail }) => this.#transfers.handOver(detail));
    this.#transfer.addEventListener("keep", ({ detail }) => this.#transfers.keep(detail));
    this.#offerList.addEventListener("accept", ({ detail }) => this.offers.accept(detail));
    this.#offerList.addEventListener("decline", ({ detail }) => this.offers.askToDecline(detail));
    this.#strip.addEventListener("take-back", ({ detail }) => errands.takeBack(detail));
    this.#callBack.addEventListener("call-back", ({ detail }) => errands.callBack(detail));
    this.#references.addEventListener("fetch", ({ detail }) => this.#fetch(detail));
    this.#reports.addEventListener("report", () => {
      const { signalling } = this.#record ?? {};
      this.#report.ask(this.#card, signalling?.source);
    });
    this.#report.addEventListener("report", ({ detail }) => errands.reportSource(detail));
    this.tests.addEventListener("choose", ({ detail }) => open.choose(detail));
  }

  /** Show a chat. @param {?object} card @param {?object} record */
  show(card, record) {
    this.#card = card;
    this.#record = record;
    this.#caller.show(card, record?.additional ?? [], record?.signalling ?? {});
    this.#marks.show(card);
    this.#strip.show(card, record);
    this.#transfer.show(card);
    this.#handedOver.show(record?.psaps ?? [], record?.notes ?? []);
    this.#callBack.show(card, Boolean(card) && this.#mayCallBack(card));
    this.#showErrands();
  }

  /** Show the positions of a chat. */
  showFixes(record) {
    this.#position.show(record.chat, record.fixes, record.references);
  }

  /** Show the position that a message brought. */
  chooseFix(messageId) {
    this.#position.choose(messageId);
  }

  askToPassOn(card) {
    const { store, drafts } = this.#console;
    const { redirectText = "", transferText = "" } = store.psap;
    const texts = { redirect: redirectText, transfer: transferText };
    this.#passOn.ask(card, store.peers, texts, drafts.read(card.chat), store.may("transfer"));
  }

  /** A chat that comes back from a redirect has somebody waiting who believes to be answered. */
  sayRedirect({ ev, chat, card, data }) {
    const { store, notices, alarm } = this.#console;
    if (!store.isMine(card)) return;
    const name = store.peerName(data?.target ?? card.goneTo);
    if (ev === "chat-redirected") {
      notices.say(`#${chat} ${callerWord(card)} is with ${name} now. Close it here.`);
      return;
    }
    notices.warn(`#${chat} ${callerWord(card)}: redirect to ${name} ended: ${data?.cause || "no reason given"}. The chat is yours again.`);
    alarm.warn();
  }

  #mayCallBack(card) {
    const { store, closing } = this.#console;
    const ended = card.session === "stopped" && !card.disposition && !closing.has(card.chat);
    return ended && store.isMine(card) && !card.alert && !card.standalone && store.may("call-back");
  }

  #showErrands() {
    const { store } = this.#console;
    const record = this.#record;
    const mine = store.isMine(this.#card);
    this.#references.show(record?.references.size ? referencesOf(record, store) : [], store.may("fetch-reference"));
    this.#reports.show([...(record?.reports.values() ?? [])],
      Boolean(store.psap.reports) && mine && store.may("report-source") && !this.#card.disposition);
  }

  /** A host that nobody has listed learns from us that somebody needs help: that is asked first. */
  async #fetch(reference) {
    const card = this.#card;
    const host = hostOf(reference.url);
    if (reference.status === "unlisted" && !(await this.confirm.ask({
      title: `Ask ${host}?`,
      text: `This host is not on the list of trusted servers. It learns that this control room looks for ${callerWord(card)}. That you allowed it is recorded. Address: ${reference.url}`,
      verb: "Fetch anyway",
      card,
    }))) return;
    this.#errands.fetchReference(card.chat, reference);
  }
}

/** The references of a chat, each with the time of its last event and the name of who allowed it. */
function referencesOf(record, store) {
  const at = new Map(record.events.filter(({ data }) => data?.reference)
    .map((event) => [String(event.data.reference), event.at]));
  return [...record.references.values()].map((one) => ({
    ...one, fetchedAt: at.get(one.id), allowedBy: one.allowedBy && store.nameOf(one.allowedBy),
  }));
}
