/** A process that looks up in a loop what stays in a table of masks, and says over IPC what it has missed. It ends with whoever started it. */
import type { HashKey } from "../../src/lib/half-siphash.js";
import { MaskReader } from "../../src/lib/mask-reader.js";
import { find, isWithin, maskOf } from "./mask-tables.js";

export interface ReaderOptions {
  readonly file: string;
  readonly key: HashKey;
  readonly keys: readonly string[];
  /** Of each key. */
  readonly bits: readonly (readonly number[])[];
  readonly head: { readonly at: number; readonly value: number };
}

export interface ReaderReport {
  readonly looks: number;
  readonly missed: readonly string[];
}

const { file, key, keys, bits, head } = JSON.parse(process.argv[2] ?? "") as ReaderOptions;
const reader = new MaskReader(file, key);
const masks = keys.map((name, n) => ({ name, mask: maskOf(...(bits[n] ?? [])) }));
const missed: string[] = [];
let looks = 0;

process.on("disconnect", () => process.exit());
look();

function look(): void {
  for (let round = 0; round < 10; round++) {
    for (const { name, mask } of masks) {
      const found = find(reader, name);
      if (!isWithin(mask, found)) missed.push(`${name} at look ${looks}: ${JSON.stringify(found)}`);
      looks++;
    }
    const value = reader.head(head.at);
    if (value !== head.value) missed.push(`the head at look ${looks}: ${value}`);
  }
  const report: ReaderReport = { looks, missed: missed.slice(0, 5) };
  process.send?.(report);
  setImmediate(look);
}
