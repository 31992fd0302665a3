#!/usr/bin/env node
/** The command line: finds the command, prints what it throws, sets the exit code. */
import { inspect } from "node:util";
import { Command } from "commander";
import { ConfigError } from "../config/problem.js";
import { packageVersion } from "../lib/package-version.js";
import { checkCommand } from "./check.js";
import { addConfigOptions, loadFromCommand } from "./config-options.js";
import { nginxCommand } from "./nginx.js";
import { reloadCommand } from "./reload.js";
import { nodesCommand } from "./nodes.js";
import { PROGRAM_HELP, START_HELP } from "./usage.js";

function startCommand(): Command {
  const command = new Command("start")
    .summary("run a node")
    .description(
      "Runs a node: a primary process that owns the port, and the workers that own the sockets.\n" +
        'When it takes connections it logs a line with "msg":"ready", "port" and "opsPort".',
    );
  return addConfigOptions(command)
    .addHelpText("after", START_HELP)
    .action(async () => {
      loadFromCommand(command);
      // Imported here, so that the other commands do not load what a node needs.
      const { runStart } = await import("./start.js");
      await runStart(() => loadFromCommand(command));
    });
}

/** Failures that a user can mend come without a stack: a bad configuration, a broken app, a port that is taken. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error);
  const mendable = error instanceof ConfigError || error.name === "StartError" || "syscall" in error;
  if (!mendable) return inspect(error);
  return "where" in error && typeof error.where === "string" ? `${error.message} (${error.where})` : error.message;
}

function report(error: unknown): void {
  process.stderr.write(`limpet: ${describe(error)}\n`);
  process.exitCode = 1;
}

const program = new Command("limpet")
  .description("A horizontally scaled Socket.IO gateway for stock clients.")
  .version(packageVersion(), "-V, --version", "print the version")
  .helpOption("-h, --help", "print this help")
  .helpCommand("help [command]", "print the help of a command")
  .addHelpText("after", PROGRAM_HELP)
  .showHelpAfterError("(limpet --help lists the commands)")
  .addCommand(startCommand())
  .addCommand(checkCommand())
  .addCommand(reloadCommand())
  .addCommand(nginxCommand())
  .addCommand(nodesCommand());

await program.parseAsync().catch(report);
