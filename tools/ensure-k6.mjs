// Finds k6 at the version the load tests are written for, or builds it from source into .tools/bin.
//
//     node tools/ensure-k6.mjs        prints where it is
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The client leans on k6's event loop and its WebSocket, so another version may not do. */
export const K6_VERSION = "1.8.1";

const run = promisify(execFile);
const tools = path.resolve(import.meta.dirname, "../.tools");
const installed = path.join(tools, "bin/k6");

/**
 * @param {(line: string) => void} [say] told before a build, which takes minutes the first time
 * @returns {Promise<string>} the program: the project's own, else the one on the PATH if it is of this version, else a fresh build
 * @throws {Error} when there is none and Go, which builds it, is missing or fails; the message says how to get it
 */
export async function ensureK6(say = () => {}) {
  for (const candidate of [installed, "k6"]) {
    if ((await versionOf(candidate)) === K6_VERSION) return candidate;
  }
  say(`building k6 ${K6_VERSION} into .tools/bin; this takes some minutes the first time`);
  await build();
  const version = await versionOf(installed);
  if (version !== K6_VERSION)
    throw new Error(`the k6 just built says it is ${version ?? "not runnable"}, wanted ${K6_VERSION}`);
  return installed;
}

async function versionOf(program) {
  try {
    const { stdout } = await run(program, ["version"], { timeout: 10_000 });
    return /^k6(?:\.exe)? v(\S+)/.exec(stdout)?.[1];
  } catch {
    // Whatever the reason, a program that does not run is not the one wanted.
    return undefined;
  }
}

async function build() {
  await mkdir(path.dirname(installed), { recursive: true });
  // Built aside and moved into place, so that of two builds at once none runs half a program.
  const aside = await mkdtemp(path.join(tools, "k6-"));
  try {
    await run("go", ["install", `go.k6.io/k6@v${K6_VERSION}`], {
      env: { ...process.env, GOBIN: aside },
      maxBuffer: 2 ** 24,
    });
    await rename(path.join(aside, "k6"), installed);
  } catch (error) {
    if (error.code !== "ENOENT")
      throw new Error(`building k6 failed: ${error.stderr || error.message}`, { cause: error });
    throw new Error(
      `k6 ${K6_VERSION} is missing, and so is Go, which builds it: install Go (https://go.dev/doc/install, or "golang" from your ` +
        `system's packages), or put k6 ${K6_VERSION} on the PATH (https://github.com/grafana/k6/releases/tag/v${K6_VERSION})`,
      { cause: error },
    );
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(await ensureK6((line) => console.error(line)));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
