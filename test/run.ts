/**
 * What `npm test` runs: every test file, each in a process of its own. Files named *.serial.test.ts measure the machine, or take all of it; they run
 * one at a time, after the others. A test that is skipped or left to do, and a file without tests, count as failed.
 *
 *     npm test                    everything
 *     npm test -- front nginx     the files whose path contains one of these words
 *
 * The last line is `N passed, N failed`, and the exit code follows it.
 */
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { once } from "node:events";
import { run } from "node:test";
import { spec } from "node:test/reporters";

const FILE_TIMEOUT_MS = 10 * 60_000;
/** Most of a test is waiting. */
const FILES_PER_CORE = 2;

const root = path.resolve(import.meta.dirname, "..");
const runId = randomUUID();
const folder = mkdtempSync(path.join(tmpdir(), "limpet-run-"));
process.env["TEST_RUN_ID"] = runId;
process.env["TMPDIR"] = folder;

interface Result {
  readonly name: string;
  readonly file?: string | undefined;
  readonly skip?: string | boolean | undefined;
  readonly todo?: string | boolean | undefined;
  readonly details: { readonly type?: string | undefined };
}

class Tally {
  passed = 0;
  failed = 0;
  readonly reasons: string[] = [];

  pass({ name, file, skip, todo, details }: Result): void {
    if (details.type === "suite") return;
    const where = file === undefined ? name : `${path.relative(root, file)}: ${name}`;
    if (skip !== undefined) this.#refuse(`${where}: was skipped`);
    else if (todo !== undefined) this.#refuse(`${where}: is left to do`);
    else if (file !== undefined && path.resolve(root, name) === file)
      this.#refuse(`${path.relative(root, file)}: holds no tests`);
    else this.passed++;
  }

  fail({ name, file, todo, details }: Result): void {
    if (details.type === "suite") return;
    this.failed++;
    if (todo !== undefined) this.reasons.push(`${file ?? ""}: ${name}: is left to do`);
  }

  #refuse(reason: string): void {
    this.failed++;
    this.reasons.push(reason);
  }
}

const tally = new Tally();
const interrupted = (): never => {
  endLeftovers();
  process.exit(130);
};
process.once("SIGINT", interrupted);
process.once("SIGTERM", interrupted);

spawnSync(process.execPath, [path.join(root, "tools/ensure-tools.mjs")], { stdio: "inherit" });
const files = testFiles(process.argv.slice(2));
const isSerial = (file: string): boolean => file.endsWith(".serial.test.ts");
await runFiles(
  files.filter((file) => !isSerial(file)),
  { concurrency: FILES_PER_CORE * availableParallelism(), timeout: FILE_TIMEOUT_MS },
);
await runFiles(files.filter(isSerial), { concurrency: 1, timeout: FILE_TIMEOUT_MS });
endLeftovers();

for (const reason of tally.reasons) console.log(`failed: ${reason}`);
if (tally.passed + tally.failed === 0) console.log("failed: no test ran");
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = tally.failed === 0 && tally.passed > 0 ? 0 : 1;

function testFiles(words: readonly string[]): string[] {
  return readdirSync(path.join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => path.join(root, "test", name))
    .filter((file) => words.length === 0 || words.some((word) => path.relative(root, file).includes(word)))
    .sort();
}

async function runFiles(files: string[], options: { concurrency: number; timeout: number }): Promise<void> {
  if (files.length === 0) return;
  const stream = run({ files, ...options });
  stream.on("test:pass", (result) => tally.pass(result));
  stream.on("test:fail", (result) => tally.fail(result));
  const printed = stream.compose(new spec());
  printed.pipe(process.stdout, { end: false });
  await once(printed, "end");
}

/** Processes of this run that outlived their test, each by its id; and the run's temporary files. */
function endLeftovers(): void {
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const pid = Number(name);
    if (pid === process.pid || !isOfThisRun(pid)) continue;
    console.log(`a process was left over and is ended: ${pid} ${read(pid, "cmdline").replaceAll("\0", " ")}`);
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  rmSync(folder, { recursive: true, force: true });
}

/** nginx overwrites its environment with its title, which names its folder. */
function isOfThisRun(pid: number): boolean {
  return read(pid, "environ").includes(`TEST_RUN_ID=${runId}`) || read(pid, "cmdline").includes(folder);
}

function read(pid: number, file: "environ" | "cmdline"): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    // It has just ended, or is another user's.
    return "";
  }
}
