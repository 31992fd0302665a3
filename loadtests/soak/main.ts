/**
 * The soak: a fleet under modest load for a long time, with nodes killed and Redis restarted meanwhile. It starts all that it needs, on loopback, prints a
 * line a minute, and ends with 0 when no message was lost to a member that was connected, none came twice or out of order, no process ended by
 * itself, and no process's memory grew.
 *
 *     npm run build && npm run soak -- --minutes 60
 */
import { existsSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { soak } from "./soak.js";

const MAX_MINUTES = 7 * 24 * 60;
const APP = path.join(import.meta.dirname, "app.mjs");

const usage = (reason: string): never => {
  process.stderr.write(`${reason}\nusage: npm run soak -- [--minutes 60] [--app FILE]\n`);
  process.exit(1);
};

function readArgs(): { minutes: number; app: string } {
  try {
    const { values } = parseArgs({
      options: { minutes: { type: "string", default: "60" }, app: { type: "string", default: APP } },
    });
    const minutes = Number(values.minutes);
    if (!(minutes >= 0.5 && minutes <= MAX_MINUTES)) return usage(`--minutes ${values.minutes}: 0.5 to ${MAX_MINUTES}`);
    if (!existsSync(values.app)) return usage(`--app ${values.app}: there is no such file`);
    return { minutes, app: path.resolve(values.app) };
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

// All that was started ends with this process.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
const { minutes, app } = readArgs();
const faults = await soak(minutes, app, (line) => process.stdout.write(`${line}\n`));
for (const fault of faults) process.stdout.write(`failed: ${fault}\n`);
process.stdout.write(faults.length === 0 ? "passed\n" : `${faults.length} failures\n`);
process.exit(faults.length === 0 ? 0 : 1);
