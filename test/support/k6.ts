/** k6 at the project's version, running a script against loopback, for a bounded time. */
import { ensureK6 } from "../../tools/ensure-k6.mjs";
import { exitOf, killGroup, startGroup } from "./children.js";
import { root } from "./node.js";

export interface K6Run {
  /** 0 when every threshold held, 99 when one did not. */
  readonly code: number | null;
  /** Both streams, in the order they came. */
  readonly output: string;
}

/** @throws Error when k6 cannot be had, or does not end in time; it is ended then */
export async function runK6(
  script: string,
  variables: Readonly<Record<string, string>>,
  timeoutMs = 120_000,
): Promise<K6Run> {
  const k6 = await ensureK6();
  const flags = ["run", "--quiet", "--address", "", "--no-usage-report", "--no-color"];
  return runToEnd(k6, [...flags, script], variables, timeoutMs);
}

/** `npm run load -- …`, without npm. */
export function runLoad(args: readonly string[], timeoutMs = 120_000): Promise<K6Run> {
  return runToEnd(process.execPath, ["--import", "tsx", "loadtests/run.ts", ...args], { NO_COLOR: "1" }, timeoutMs);
}

async function runToEnd(
  program: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<K6Run> {
  const child = startGroup(program, args, {
    cwd: root,
    env: { ...process.env, ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  try {
    const { code } = await exitOf(child, timeoutMs, `${program} ${args.join(" ")}`);
    return { code, output };
  } catch (cause) {
    throw new Error(`it did not end in time:\n${output}`, { cause });
  } finally {
    killGroup(child.pid);
  }
}
