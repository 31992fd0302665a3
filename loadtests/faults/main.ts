/**
 * What becomes of 200 clients in rooms, with 100 messages a second, when something breaks: limpet beside the documented recipe (Node's cluster,
 * @socket.io/sticky, the cluster adapter on one node and the Redis Streams adapter on two) with its recovery on. It starts all that it needs, on loopback, and
 * prints a table; it takes some ten minutes on a quiet machine.
 *
 *     npm run build && npm run faults [-- WORD …]      the cases and sides, `one node: half-open, limpet` say, that contain all of these words
 */
import { availableParallelism, loadavg } from "node:os";
import { CASES } from "../../test/recovery/rig/cases.js";
import { play } from "../../test/recovery/rig/play.js";
import { limpet, stock } from "../../test/recovery/rig/sides.js";
import { cellsOf, markdown } from "../../test/recovery/rig/table.js";
import type { Scope } from "../../test/support/children.js";

// What it started ends with it.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

const words = process.argv.slice(2);
const rows: string[][] = [];

for (const each of CASES)
  for (const side of each.inStock ? [limpet, stock] : [limpet]) {
    const title = `${each.name}, ${side.name}`;
    if (!words.every((word) => title.includes(word))) continue;
    process.stdout.write(`${title}\n`);
    const undo: (() => Promise<void> | void)[] = [];
    const scope: Scope = { after: (step) => void undo.push(step) };
    try {
      rows.push(cellsOf(each.name, side.name, await play(scope, side, each, { noise: false })));
    } catch (error) {
      rows.push([each.name, side.name, `failed: ${(error as Error).message.split("\n")[0]}`]);
    } finally {
      for (const step of undo.reverse()) await step();
    }
  }

if (rows.length === 0) {
  process.stderr.write(`no case has these words; there are:\n${CASES.map(({ name }) => `  ${name}\n`).join("")}`);
  process.exit(1);
}
const [load = 0] = loadavg();
process.stdout.write(
  `\n${markdown(rows)}\n\nNode ${process.version}, ${availableParallelism()} processors, load ${load.toFixed(1)}, ${new Date().toISOString().slice(0, 10)}\n`,
);
process.exit();
