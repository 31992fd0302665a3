/** The last round trips as a line; the scale begins at zero and fits the highest. */
const SAMPLES = 60;
/** With fewer than this the line grows from the right, instead of stretching a few points over the whole width. */
const FULL_WIDTH_FROM = 15;
const WIDTH = 120;
const HEIGHT = 36;

export const formatMs = (ms) => (ms < 10 ? ms.toFixed(1) : String(Math.round(ms)));

export class Sparkline {
  #samples = [];
  #svg;
  #caption;

  constructor(svg, caption) {
    this.#svg = svg;
    this.#caption = caption;
  }

  add(sample) {
    this.#samples.push(sample);
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    const highest = Math.max(...this.#samples);
    const lowest = Math.min(...this.#samples);
    const ceiling = Math.max(highest * 1.1, 1);
    const step = WIDTH / (Math.max(FULL_WIDTH_FROM, this.#samples.length) - 1);
    const start = WIDTH - (this.#samples.length - 1) * step;
    const points = this.#samples.map((value, index) => {
      const x = start + index * step;
      return `${x.toFixed(1)} ${(HEIGHT - (value / ceiling) * HEIGHT).toFixed(1)}`;
    });
    const line = `M${points.join("L")}`;
    this.#svg.querySelector(".spark-line").setAttribute("d", line);
    this.#svg
      .querySelector(".spark-area")
      .setAttribute("d", `${line}L${WIDTH} ${HEIGHT}L${start.toFixed(1)} ${HEIGHT}Z`);
    if (this.#samples.length === 1) return;
    this.#caption.textContent = `${formatMs(lowest)} to ${formatMs(highest)} ms in the last two minutes`;
  }
}
