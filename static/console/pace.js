/** Does something at once when it is quiet, and in a flood of wishes only once in so many ms. */
export class Pace {
  #act;
  #interval;
  #doneAt = -Infinity;
  #timer = null;

  constructor(interval, act) {
    this.#interval = interval;
    this.#act = act;
  }

  /** Whether something was asked for and not yet done. */
  get asked() {
    return this.#timer !== null;
  }

  ask() {
    if (this.asked) return;
    const wait = this.#doneAt + this.#interval - performance.now();
    if (wait <= 0) this.now();
    else this.#timer = setTimeout(() => this.now(), wait);
  }

  /** Do it without waiting; what was asked for is done with it. */
  now() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#doneAt = performance.now();
    this.#act();
  }
}
