// Compiles src/ to dist/ and copies what the compiler does not: the page and other files served as they are.
// The new dist/ takes the old one's place at once and only if the compiler is content, so that what runs from it is never half there.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const dist = path.join(root, "dist");
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const work = mkdtempSync(path.join(root, ".build-"));
try {
  const fresh = path.join(work, "dist");
  execFileSync(process.execPath, [tsc, "-p", path.join(root, "tsconfig.json"), "--outDir", fresh], {
    stdio: "inherit",
    cwd: root,
  });
  cpSync(path.join(root, "src/apps/channels/public"), path.join(fresh, "apps/channels/public"), { recursive: true });
  chmodSync(path.join(fresh, "cli/main.js"), 0o755);
  if (existsSync(dist)) renameSync(dist, path.join(work, "old"));
  renameSync(fresh, dist);
} catch (error) {
  // The compiler has said what is wrong.
  if (error.status === undefined) throw error;
  process.exitCode = error.status;
} finally {
  rmSync(work, { recursive: true, force: true });
}
