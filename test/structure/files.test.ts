/** Sizes and contents of the project's files, as far as they are a promise. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { root } from "../support/node.js";

const MAX_LINES = 500;
const MANY_LINES = 300;

/** The packages whose insides limpet leans on: another version is a change of its own, with a look at what it changes. */
const LEANED_ON = ["socket.io", "engine.io", "socket.io-adapter", "@socket.io/sticky"];

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}
interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly resolved?: string }>>;
}

const read = (file: string): string => readFileSync(path.join(root, file), "utf8");
const manifest = JSON.parse(read("package.json")) as Manifest;

const FOLDERS = ["src", "test", "tools", "loadtests", "examples", "deploy"];

function codeFiles(): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(ts|mjs|js|py|sh)$/.test(name) && !name.includes("node_modules"))
      .map((name) => path.join(folder, name)),
  );
}

const lineCount = (text: string): number => text.trimEnd().split("\n").length;

test(`no source file has more than ${MAX_LINES} lines`, (t) => {
  const sizes = codeFiles().map((file) => ({ file, lines: lineCount(read(file)) }));
  assert.ok(sizes.length > 50, "the files were found");
  for (const { file, lines } of sizes) if (lines > MANY_LINES) t.diagnostic(`${file} has ${lines} lines`);
  assert.deepEqual(
    sizes.filter(({ lines }) => lines > MAX_LINES),
    [],
  );
});

test("every dependency is pinned to one version", () => {
  const pins = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  assert.deepEqual(
    pins.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)),
    [],
  );
});

test("the packages whose insides we lean on are there once, at the pinned version", () => {
  const { packages } = JSON.parse(read("package-lock.json")) as Lockfile;
  for (const name of LEANED_ON) {
    const pinned = manifest.dependencies[name];
    assert.ok(pinned !== undefined, `${name} is a dependency of its own`);
    const copies = Object.entries(packages).filter(([where]) => where.endsWith(`node_modules/${name}`));
    assert.deepEqual(
      copies.map(([where, { version }]) => [where, version]),
      [[`node_modules/${name}`, pinned]],
    );
    const installed = JSON.parse(read(`node_modules/${name}/package.json`)) as { version: string };
    assert.equal(installed.version, pinned, `${name}: npm ci brings node_modules up to date`);
  }
});

test("the lockfile names no host to fetch from", () => {
  const { packages } = JSON.parse(read("package-lock.json")) as Lockfile;
  const hosts = Object.entries(packages).flatMap(([where, { resolved, version = "" }]) =>
    resolved !== undefined || version.includes("://") ? [where] : [],
  );
  assert.deepEqual(hosts, []);
});
