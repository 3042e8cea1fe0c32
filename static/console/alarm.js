/**
 * The sound of waiting callers: repeats until everybody is answered or it is silenced.
 *
 * A looped buffer plays it, no timer, so that it goes on in a hidden tab. Browsers allow sound
 * only after a gesture; until then the state is "blocked". Emits "change".
 */
const KEY = "leitstand.sound";
const CYCLE = 2.4; // seconds
const TONES = [[0, 880], [0.16, 1174.7], [0.32, 880], [0.48, 1174.7]];
const LENGTH = 0.14;

export class Alarm extends EventTarget {
  #context = null;
  #buffer = null;
  #source = null;
  #wanted = false;
  #silenced = false;
  #enabled = localStorage.getItem(KEY) !== "off";
  #onGesture = () => this.#unlock();

  connect() {
    for (const name of ["pointerdown", "keydown"]) addEventListener(name, this.#onGesture, { passive: true });
  }

  disconnect() {
    for (const name of ["pointerdown", "keydown"]) removeEventListener(name, this.#onGesture);
    this.#stop();
  }

  /** "on", "off", or "blocked": wanted, but the browser waits for a first click or key. */
  get state() {
    if (!this.#enabled) return "off";
    return this.#context?.state === "running" ? "on" : "blocked";
  }

  get silenced() {
    return this.#silenced;
  }

  toggle() {
    this.#enabled = !this.#enabled;
    localStorage.setItem(KEY, this.#enabled ? "on" : "off");
    this.#apply();
  }

  /** Ring or stop ringing; `anew` when somebody further has begun to wait. */
  ring(wanted, { anew }) {
    this.#wanted = wanted;
    if (anew || !wanted) this.#silenced = false;
    this.#apply();
  }

  /** Quiet until the next chat rings. */
  silence() {
    if (!this.#wanted) return;
    this.#silenced = true;
    this.#apply();
  }

  /** Play one cycle, also where the sound is off: the call-taker asked to hear it. */
  async test() {
    await this.#unlock();
    if (this.#context?.state !== "running") return false;
    this.#play(false);
    return true;
  }

  /** One low tone: the connection is gone. */
  warn() {
    if (this.state !== "on") return;
    const oscillator = this.#context.createOscillator();
    const gain = this.#context.createGain();
    oscillator.frequency.value = 233;
    gain.gain.setValueAtTime(0.25, this.#context.currentTime);
    gain.gain.exponentialRampToValueAtTime(0.001, this.#context.currentTime + 0.6);
    oscillator.connect(gain).connect(this.#context.destination);
    oscillator.start();
    oscillator.stop(this.#context.currentTime + 0.6);
  }

  async #unlock() {
    try {
      if (!this.#context) {
        // Long buffers: the short ones of games keep a processor busy as long as it rings.
        this.#context = new AudioContext({ latencyHint: "playback" });
        this.#context.onstatechange = () => this.#apply();
      }
      if (this.#context.state === "suspended") await this.#context.resume();
    } catch {
      // No sound device: the state stays "blocked" and the screen says so.
    }
  }

  #apply() {
    const sounding = this.#wanted && !this.#silenced && this.state === "on";
    if (sounding && !this.#source) this.#source = this.#play(true);
    else if (!sounding) this.#stop();
    this.dispatchEvent(new Event("change"));
  }

  #stop() {
    this.#source?.stop();
    this.#source = null;
  }

  #play(loop) {
    this.#buffer ??= synthesise(this.#context);
    const source = this.#context.createBufferSource();
    source.buffer = this.#buffer;
    source.loop = loop;
    source.connect(this.#context.destination);
    source.start();
    return source;
  }
}

/** One cycle: four short tones with soft edges, then quiet. */
function synthesise(context) {
  const rate = context.sampleRate;
  const buffer = context.createBuffer(1, Math.round(rate * CYCLE), rate);
  const samples = buffer.getChannelData(0);
  for (const [start, frequency] of TONES) {
    const count = Math.round(LENGTH * rate);
    const first = Math.round(start * rate);
    for (let index = 0; index < count; index += 1) {
      const edge = Math.min(1, index / (0.01 * rate), (count - index) / (0.03 * rate));
      samples[first + index] = 0.3 * edge * Math.sin((2 * Math.PI * frequency * index) / rate);
    }
  }
  return buffer;
}
