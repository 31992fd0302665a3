// Compiles src/ to dist/ and copies what the compiler does not: the page and other files served as they are.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const tsc = createRequire(import.meta.url).resolve("typescript/package.json").replace(/package\.json$/, "bin/tsc");
rmSync(path.join(root, "dist"), { recursive: true, force: true });
execFileSync(process.execPath, [tsc, "-p", path.join(root, "tsconfig.json")], { stdio: "inherit", cwd: root });
cpSync(path.join(root, "src/apps/channels/public"), path.join(root, "dist/apps/channels/public"), { recursive: true });
chmodSync(path.join(root, "dist/cli/main.js"), 0o755);
