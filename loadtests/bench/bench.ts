/**
 * What limpet costs beside Socket.IO's documented recipe, one stock server and bare ws: CPU of the servers' whole process trees for each unit of work, memory for each
 * session. Clients are a process of their own. The servers take turns, three times over, each started anew and warmed up before it is measured, all with as much; one
 * table at the end. Needs nginx and redis-server; takes half an hour or more.
 *
 *     npm run bench [-- --quick] [-- --only NAME]
 */
import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import path from "node:path";
import { Command, Option } from "commander";
import { root } from "../../test/support/node.js";
import type { Figure } from "./figure.js";
import { tableOf, type Results } from "./table.js";
import { worksOf, type Work } from "./works.js";

/** Of each processor: beyond it latencies are another machine's, and a server that is woken late does more at once. */
const QUIET = 0.25;
const PACKAGES = ["socket.io", "engine.io", "ws", "@socket.io/sticky", "@socket.io/cluster-adapter"];

interface Options {
  readonly quick?: true;
  readonly only?: readonly string[];
  readonly rounds?: string;
}

const names = worksOf(true).map(({ name }) => name);
/** Left out of a quick run: others of their kind stand for them. */
const SPARED: readonly string[] = ["room-100", "rooms-2"];
const command = new Command("bench")
  .description("Measures what limpet costs, beside Socket.IO's documented recipe, one stock server and bare ws.")
  .option(
    "--quick",
    "once instead of three times, shorter, and without some works that others stand for: under two minutes",
  )
  .addOption(new Option("--only <work...>", "these works only").choices(names))
  .addOption(new Option("--rounds <n>", "how often each server does each work (default: 3)"))
  .parse();
const {
  quick = false,
  only = quick ? names.filter((name) => !SPARED.includes(name)) : names,
  rounds = quick ? "1" : "3",
} = command.opts<Options>();
const roundCount = Number(rounds);
if (!Number.isInteger(roundCount) || roundCount < 1) command.error("error: --rounds must be a whole number from 1 on");

const say = (line: string): void => void process.stderr.write(`${line}\n`);
/** Pinned, so what is installed. */
const { dependencies, devDependencies } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as Record<
  "dependencies" | "devDependencies",
  Record<string, string>
>;
const versionOf = (name: string): string | undefined => ({ ...dependencies, ...devDependencies })[name];

function describeMachine(): string {
  const [load = 0] = loadavg();
  const processors = cpus();
  const versions = PACKAGES.map((name) => `${name} ${versionOf(name) ?? "?"}`).join(", ");
  return [
    `${processors.length} × ${processors[0]?.model.trim() ?? "?"}, ${process.platform} ${process.arch}, loopback; Node ${process.version}, ${versions}`,
    `${new Date().toISOString().slice(0, 10)}, npm run bench${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(" ")}` : ""}; load before: ${load.toFixed(1)}` +
      (load > QUIET * processors.length ? ": the machine was not quiet, compare within a work only" : ""),
  ].join("\n");
}

async function measure(work: Work): Promise<Results> {
  const results = new Map<string, (readonly Figure[] | Error)[]>(work.sides.map(({ name }) => [name, []]));
  for (let round = 0; round < roundCount; round++) {
    for (let n = 0; n < work.sides.length; n++) {
      // Each round begins with another one.
      const side = work.sides[(n + round) % work.sides.length];
      if (side === undefined) continue;
      const result = await work.measure(side).catch((error: unknown) => error as Error);
      results.get(side.name)?.push(result);
      say(`${work.name}, round ${round + 1}, ${side.name}: ${shown(result)}`);
      if (result instanceof Error) process.exitCode = 1;
    }
  }
  return results;
}

function shown(result: readonly Figure[] | Error): string {
  if (result instanceof Error) return String(result.stack);
  return result.map(({ value, unit }) => `${value.toFixed(value < 100 ? 2 : 0)} ${unit}`).join(", ");
}

const machine = describeMachine();
say(machine);
const measured: { work: Work; results: Results }[] = [];
for (const work of worksOf(quick)) if (only.includes(work.name)) measured.push({ work, results: await measure(work) });
process.stdout.write(`\n${machine}\n\n${tableOf(measured)}\n`);
