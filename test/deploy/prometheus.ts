/** A real Prometheus for the tests, with the project's own configuration and alert rules, pointed at the test's nodes. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parse, stringify } from "yaml";
import { exitOf, killGroup, startGroup, type Scope } from "../support/children.js";
import { freePort } from "../support/free-port.js";
import { waitFor } from "../support/wait.js";
import { tool } from "./tool.js";

const CONFIG = path.resolve(import.meta.dirname, "../../deploy/prometheus/prometheus.yml");
const ATTEMPTS = 3;

interface PrometheusConfig {
  global: { scrape_interval: string; evaluation_interval: string };
  rule_files: string[];
  scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
}

/** One series of an instant query's answer. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}

export interface Rule {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
}

export interface Prometheus {
  /** @throws Error with Prometheus' own words where the expression is wrong */
  query(expression: string): Promise<Series[]>;
  /** The alert rules, and what became of their last evaluation. */
  rules(): Promise<Rule[]>;
}

/** deploy/prometheus/prometheus.yml with the job's targets, the interval and the rules' paths made for this test. */
function deriveConfig(targets: readonly string[]): string {
  const config = parse(readFileSync(CONFIG, "utf8")) as PrometheusConfig;
  config.global = { scrape_interval: "1s", evaluation_interval: "1s" };
  config.rule_files = config.rule_files.map((file) => path.resolve(path.dirname(CONFIG), file));
  for (const job of config.scrape_configs) for (const group of job.static_configs) group.targets = [...targets];
  return stringify(config);
}

/** Starts it and waits until it has scraped the targets. */
export async function startPrometheus(scope: Scope, targets: readonly string[]): Promise<Prometheus> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await launch(scope, targets);
    } catch (error) {
      // Somebody else took the port in the meantime.
      if (attempt === ATTEMPTS || !String(error).includes("address already in use")) throw error;
    }
  }
}

async function launch(scope: Scope, targets: readonly string[]): Promise<Prometheus> {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-prometheus-"));
  const port = await freePort();
  writeFileSync(path.join(folder, "prometheus.yml"), deriveConfig(targets));
  const child = startGroup(
    tool("prometheus"),
    [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let output = "";
  child.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  scope.after(async () => {
    killGroup(child.pid);
    await exitOf(child, 10_000, "the killed Prometheus");
    rmSync(folder, { recursive: true, force: true });
  });

  async function get(where: string): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${where}`, { signal: AbortSignal.timeout(5_000) });
    const { status, data, error } = (await response.json()) as { status: string; data: unknown; error?: string };
    if (status !== "success") throw new Error(error ?? `${where} answered ${response.status}`);
    return data;
  }
  const query = async (expression: string): Promise<Series[]> =>
    ((await get(`query?query=${encodeURIComponent(expression)}`)) as { result: Series[] }).result;

  const scraped = await waitFor(
    async () => child.exitCode !== null || (await query('up{job="limpet"} == 1')).length === targets.length,
    {
      timeoutMs: 20_000,
      intervalMs: 200,
      message: () => `Prometheus to scrape ${targets.join(", ")}; it wrote:\n${output}`,
    },
  );
  if (scraped === true && child.exitCode !== null) throw new Error(`Prometheus did not start:\n${output}`);
  return {
    query,
    rules: async () => ((await get("rules")) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules),
  };
}
