// Runs tests with another version of Node, which it gets from npm into .tools/. The project must have been built.
//
//     node tools/test-on-node.mjs 22.23.3              the smoke part: the areas below
//     node tools/test-on-node.mjs 24.9.0 front nginx   the files whose path contains one of these words
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

/**
 * Each reaches far: the codecs, a node with its workers, stock clients in two languages, nginx in front. And what leans most on Node itself:
 * its sockets' handles, its HTTP server and agent, its cluster's channel, its loader.
 */
const SMOKE = [
  "test/lib/",
  "test/internals/",
  "test/routing/",
  "test/link/",
  "test/telemetry/",
  "test/config/",
  "test/clients/",
  "test/nginx/routing",
  "test/front/hand-over",
  "test/front/keep-alive",
  "test/front/cut-requests",
  "test/front/bodies",
  "test/worker/",
  "test/supervisor/stop",
  "test/app/",
  "test/hub/messages",
  "test/hub/direct",
  "test/hub/outbound",
  "test/bus/direct",
  "test/bus/operations",
  "test/bus/requests.test",
  "test/rescue/between-nodes",
  "test/transport/",
  "test/options/compression",
  "test/options/transports",
];

const [version, ...words] = process.argv.slice(2);
if (version === undefined || !/^\d+\.\d+\.\d+$/.test(version)) {
  console.error("usage: node tools/test-on-node.mjs VERSION [words], with a whole version such as 22.23.3");
  process.exit(2);
}
const root = path.resolve(import.meta.dirname, "..");
const node = installNode(version);
const args = ["--import", "tsx", path.join(root, "test/run.ts"), ...(words.length > 0 ? words : SMOKE)];
const { status, signal } = spawnSync(node, args, { cwd: root, stdio: "inherit" });
if (signal !== null) console.error(`the tests were ended by ${signal}`);
process.exit(status ?? 1);

/** The package `node` of npm is a shell around one package for each platform; that one needs no install script. */
function installNode(wanted) {
  const folder = path.join(root, ".tools", `node-${wanted}`);
  const name = `node-${process.platform}-${process.arch}`;
  const binary = path.join(folder, "node_modules", name, "bin/node");
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    // Without a manifest of its own, npm would install into the project.
    writeFileSync(path.join(folder, "package.json"), '{ "private": true }\n');
    const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
    execFileSync("npm", ["install", ...options, `${name}@${wanted}`], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
    });
  }
  const got = execFileSync(binary, ["--version"], { encoding: "utf8" }).trim();
  if (got !== `v${wanted}`) throw new Error(`${binary} is Node ${got}, not ${wanted}`);
  return binary;
}
