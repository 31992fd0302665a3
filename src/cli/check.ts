/** `limpet check`: what a node started with the same flags would run with, and why. */
import { Command } from "commander";
import type { Config } from "../config/config.js";
import { configKeys, showableConfig, valueAt } from "../config/keys.js";
import type { LoadedConfig } from "../config/load-config.js";
import { ConfigError } from "../config/problem.js";
import { addConfigOptions, loadFromCommand } from "./config-options.js";
import { CONFIG_HELP } from "./usage.js";

export function checkCommand(): Command {
  const command = new Command("check")
    .summary("print the effective configuration, and where each value comes from")
    .description(
      "Checks the configuration a node would start with, and prints each value with its origin.\n" +
        "Exits with 1 and a report of all problems when something is wrong.",
    )
    .option("--json", "print JSON: {config, origins}, or {problems}");
  return addConfigOptions(command)
    .addHelpText("after", CONFIG_HELP)
    .action(({ json }: { json?: true }) => {
      if (json === true) printJson(command);
      else process.stdout.write(renderTable(loadFromCommand(command)));
    });
}

function printJson(command: Command): void {
  let result: object;
  try {
    const { config, origins } = loadFromCommand(command);
    result = { config: showableConfig(config), origins: Object.fromEntries(origins) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    result = { problems: error.problems };
    process.exitCode = 1;
  }
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
}

/** One line a key: key, value, origin, in columns. */
export function renderTable({ config, origins }: LoadedConfig): string {
  const shown = showableConfig(config);
  const rows = configKeys.map(({ path }) => [path, showEffective(shown, path), origins.get(path) ?? ""] as const);
  const keyWidth = Math.max(...rows.map(([path]) => path.length));
  const valueWidth = Math.max(...rows.map(([, value]) => value.length));
  return rows
    .map(([path, value, origin]) => `${path.padEnd(keyWidth)}  ${value.padEnd(valueWidth)}  ${origin}\n`)
    .join("");
}

function showEffective(config: Config, path: string): string {
  const value = valueAt(config, path);
  return typeof value === "string" ? value : JSON.stringify(value);
}
