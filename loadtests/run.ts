/** `npm run load`: gets k6, starts a node of its own unless told a URL, runs a scenario, and exits as k6 does. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { Command, Option } from "commander";
import { ensureK6, K6_VERSION } from "../tools/ensure-k6.mjs";
import { refuseForeign } from "./lib/target.ts";
import { startOwnNode } from "./own-node.ts";
import {
  readSettings,
  type Scenario,
  type ScenarioName,
  SCENARIOS,
  type Settings,
  SETTINGS,
  settingsOf,
  variableOf,
} from "./scenarios/catalog.ts";

/** Beyond a scenario's duration: its ramp, its end, and k6's own start. Then k6 is ended, whatever it is doing. */
const K6_MARGIN_MS = 180_000;

interface RunOptions {
  readonly url?: string;
  readonly workers: string;
  readonly iOwnThisServer?: true;
}

/** Said to the user as it is, without a stack. */
class LoadError extends Error {}

function program(): Command {
  const load = new Command("load")
    .usage("-- <scenario> [options] [k6 options]")
    .description(
      `Loads a limpet node with Socket.IO clients in k6 ${K6_VERSION}, and fails when a threshold is crossed.\n` +
        "Without --url it starts a node of its own on this machine, and stops it afterwards.",
    )
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [scenario]", "print the settings of a scenario, with their defaults")
    .addHelpText(
      "after",
      `
Examples:
  $ npm run load -- smoke
  $ npm run load -- soak --clients 200 --duration 2h
  $ npm run load -- connect --rate 200 --transport websocket --url http://127.0.0.1:3000
  $ npm run load -- fanout -- --out json=run.json       what follows a second -- goes to k6

What each scenario shows and what its thresholds mean: docs/load-testing.md.`,
    );
  for (const name of Object.keys(SCENARIOS) as ScenarioName[]) load.addCommand(scenarioCommand(name));
  return load;
}

function scenarioCommand(name: ScenarioName): Command {
  const { summary, defaults }: Scenario = SCENARIOS[name];
  const command = new Command(name)
    .summary(summary)
    .description(summary)
    .helpOption("-h, --help", "print this help")
    .argument("[k6-options...]", "after a --: handed to k6 run")
    .option(
      "--url <url>",
      "the server to load, with loadtests/app.mjs or one that answers alike (default: a node of its own)",
    )
    .option("--workers <n>", "workers of that node", "2")
    .option("--i-own-this-server", "allow a --url that is not on this machine");
  for (const key of settingsOf(name)) {
    const { name: flag, placeholder, help } = SETTINGS[key];
    command.addOption(new Option(`--${flag} ${placeholder}`, help).default(defaults[key]).env(variableOf(key)));
  }
  return command.action(async (k6Options: string[]) => {
    process.exitCode = await load(name, command, k6Options);
  });
}

async function load(name: ScenarioName, command: Command, k6Options: readonly string[]): Promise<number> {
  const options = command.opts<RunOptions>();
  const values = Object.fromEntries(
    settingsOf(name).map((key) => [variableOf(key), String(command.getOptionValue(camelCase(SETTINGS[key].name)))]),
  );
  const { durationMs } = settingsFrom(name, values);
  if (options.iOwnThisServer !== true) checkTarget(options.url);

  const k6 = await ensureK6((line) => process.stderr.write(`${line}\n`)).catch(asLoadError);
  const node = options.url === undefined ? await startOwnNode(options.workers).catch(asLoadError) : undefined;
  try {
    const environment = {
      ...values,
      LOAD_URL: options.url ?? node?.url ?? "",
      LOAD_I_OWN_THIS_SERVER: options.iOwnThisServer === true ? "yes" : "no",
    };
    return await runK6(k6, name, environment, k6Options, durationMs + K6_MARGIN_MS);
  } finally {
    await node?.stop();
  }
}

async function runK6(
  k6: string,
  name: ScenarioName,
  environment: Readonly<Record<string, string>>,
  more: readonly string[],
  timeoutMs: number,
): Promise<number> {
  const script = path.join(import.meta.dirname, "scenarios", `${name}.ts`);
  // No REST API: its fixed port would make two runs collide.
  const flags = ["run", "--address", "", "--summary-trend-stats", "avg,min,med,p(95),p(99),max", ...more];
  const child = spawn(k6, [...flags, script], {
    stdio: "inherit",
    env: { ...process.env, ...environment, K6_NO_USAGE_REPORT: "true" },
  });
  // A terminal sends its Ctrl-C to k6 too, and k6 takes a second one for "at once"; the node goes when k6 is through.
  const onInterrupt = (): void => {};
  const onTerminate = (): void => {
    child.kill("SIGTERM");
  };
  process.on("SIGINT", onInterrupt).on("SIGTERM", onTerminate);
  const timer = setTimeout(() => {
    process.stderr.write(`k6 did not end within ${timeoutMs} ms\n`);
    child.kill("SIGKILL");
  }, timeoutMs);
  const [code] = (await once(child, "exit")) as [number | null];
  clearTimeout(timer);
  process.off("SIGINT", onInterrupt).off("SIGTERM", onTerminate);
  return code ?? 1;
}

function settingsFrom(name: ScenarioName, values: Readonly<Record<string, string>>): Settings {
  try {
    return readSettings(name, values);
  } catch (error) {
    return asLoadError(error);
  }
}

function checkTarget(url: string | undefined): void {
  if (url === undefined) return;
  try {
    refuseForeign(url);
  } catch (cause) {
    throw new LoadError(`${(cause as Error).message}; if it is yours, say so: --i-own-this-server`, { cause });
  }
}

function asLoadError(cause: unknown): never {
  throw new LoadError((cause as Error).message, { cause });
}

function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

try {
  await program().parseAsync();
} catch (error) {
  process.stderr.write(`load: ${error instanceof LoadError ? error.message : String((error as Error).stack)}\n`);
  process.exitCode = 1;
}
