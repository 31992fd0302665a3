/** The only place that reads the process's environment. */
import type { ConfigSources } from "./load-config.js";

/** The environment and the directory limpet was started with. */
export function processSources(): Pick<ConfigSources, "env" | "cwd"> {
  return { env: process.env, cwd: process.cwd() };
}
