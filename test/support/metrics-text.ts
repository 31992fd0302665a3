/** A scrape in Prometheus' text format, read for assertions. */

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? ([-+]?(?:Inf|[\d.]+(?:e[-+]?\d+)?)|NaN)(?: \d+)?$/i;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/gy;

export class Scrape {
  readonly samples: readonly Sample[];

  /** @throws Error that names the line which is not of the format */
  constructor(text: string) {
    this.samples = text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map(readSample);
  }

  /** Samples of that name that carry at least these labels. */
  find(name: string, labels: Labels = {}): Sample[] {
    const wanted = Object.entries(labels);
    return this.samples.filter(
      (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
    );
  }

  /**
   * The sum of the samples of that name that carry at least these labels.
   *
   * @throws Error where there is none: a name that is wrong must not read as 0
   */
  sum(name: string, labels: Labels = {}): number {
    const found = this.find(name, labels);
    if (found.length === 0) {
      const others = this.find(name).map((sample) => JSON.stringify(sample.labels));
      const hint = others.length === 0 ? "no metric has that name" : `there are ${others.join(" ")}`;
      throw new Error(`no sample ${name}${JSON.stringify(labels)}: ${hint}`);
    }
    return found.reduce((sum, { value }) => sum + value, 0);
  }
}

function readSample(line: string): Sample {
  const [, name, labelText = "", value] = LINE.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`not a line of Prometheus' text format: ${line}`);
  const labels: Record<string, string> = {};
  let end = 0;
  for (const match of labelText.matchAll(LABEL)) {
    const [text, label = "", escaped = ""] = match;
    labels[label] = escaped.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
    end = match.index + text.length;
  }
  if (end !== labelText.length) throw new Error(`labels of Prometheus' text format that do not parse: ${line}`);
  return { name, labels, value: readNumber(value) };
}

function readNumber(text: string): number {
  if (text === "+Inf") return Infinity;
  if (text === "-Inf") return -Infinity;
  return Number(text);
}
