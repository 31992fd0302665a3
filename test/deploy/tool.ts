/** Programs that tests run and that npm does not bring along. */
import { spawnSync } from "node:child_process";

const HOW_TO_GET = {
  promtool: "install Prometheus: apt-get install prometheus",
  prometheus: "install Prometheus: apt-get install prometheus",
  "docker-compose": "install it: apt-get install docker-compose",
} as const;

/** @returns the program's name. Throws with a sentence on how to get it, where it cannot be run. */
export function tool(name: keyof typeof HOW_TO_GET): string {
  const { error } = spawnSync(name, ["--version"], { stdio: "ignore" });
  if (error !== undefined) throw new Error(`${name} cannot be run; ${HOW_TO_GET[name]}`, { cause: error });
  return name;
}
