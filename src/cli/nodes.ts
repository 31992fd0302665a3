/** `limpet nodes`: the nodes of a fleet, as they stand in its Redis. */
import { Command } from "commander";
import type { FleetNode } from "../bus/node-record.js";
import { addConfigOptions, loadFromCommand } from "./config-options.js";
import { CONFIG_HELP } from "./usage.js";

const HELP = `${CONFIG_HELP}

Columns:
  NODE      number of the node: the first two characters of its sessions' ids
  ADDRESS   where its siblings reach it; - until it takes connections
  SESSIONS  open Engine.IO sessions
  LAG       how far it is behind the stream; - where it does not know
  STARTED   by its own clock, in UTC

Examples:
  $ limpet nodes --redis redis://10.0.0.5
  $ limpet nodes --config limpet.yaml --json`;

export function nodesCommand(): Command {
  const command = new Command("nodes")
    .summary("list the nodes of a fleet")
    .description(
      "Lists the nodes that share a Redis: each renews its entry there, and one that has ended is gone after fleet.leaseMs at most.\n" +
        "Exits with 1 when Redis cannot be asked within bus.startTimeoutMs.",
    )
    .option(
      "--json",
      "print JSON: a list of {id, uid, address, version, workers, sessions, lagSeconds, startedAtMs, fixed}",
    );
  return addConfigOptions(command)
    .addHelpText("after", HELP)
    .action(async ({ json }: { json?: true }) => {
      const { config } = loadFromCommand(command);
      // Imported here, so that the other commands do not load what Redis needs.
      const { readFleet } = await import("../bus/node-list.js");
      const nodes = await readFleet(config);
      process.stdout.write(json === true ? `${JSON.stringify(nodes, null, 2)}\n` : renderNodes(nodes));
    });
}

/** One line a node below the heads, in columns. */
export function renderNodes(nodes: readonly FleetNode[]): string {
  if (nodes.length === 0) return "no node holds a lease: none runs with this Redis and this redis.keyPrefix\n";
  const rows = [
    ["NODE", "ADDRESS", "VERSION", "WORKERS", "SESSIONS", "LAG", "STARTED"],
    ...nodes.map(({ id, address, version, workers, sessions, lagSeconds, startedAtMs }) => [
      String(id),
      address ?? "-",
      version,
      String(workers),
      String(sessions),
      lagSeconds === null ? "-" : `${lagSeconds.toFixed(3)} s`,
      new Date(startedAtMs).toISOString().replace(/\.\d+Z$/, "Z"),
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return rows.map((row) => `${line(row).trimEnd()}\n`).join("");
}
