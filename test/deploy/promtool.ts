/** Runs promtool, the checker that comes with Prometheus. */
import { spawnSync } from "node:child_process";
import { tool } from "./tool.js";

export interface CheckResult {
  readonly passed: boolean;
  readonly output: string;
}

/** @param args for example `["check", "metrics"]`, which reads `input` */
export function promtool(args: readonly string[], input = ""): CheckResult {
  const { status, stdout, stderr } = spawnSync(tool("promtool"), args, { input, encoding: "utf8" });
  return { passed: status === 0, output: stdout + stderr };
}
