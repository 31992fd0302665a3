/** The house: each file imports its own room or a lower one, never up, never a room beside it. Type imports count. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { root } from "../support/node.js";
import { importsOf, sourceFiles, type Import } from "./imports.js";

const src = path.join(root, "src");

/** The table of docs/design.md. */
const LEVELS: Readonly<Record<string, number>> = {
  cli: 5,
  primary: 4,
  worker: 4,
  apps: 3,
  bus: 3,
  link: 2,
  access: 2,
  recovery: 2,
  config: 1,
  telemetry: 1,
  lib: 0,
  routing: 0,
};
/** The package's entry: it stands outside and only passes types on. */
const ENTRY = "index.ts";

function violation({ file, specifier, typeOnly }: Import): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const target = path.join(path.dirname(file), specifier);
  if (file === ENTRY) return typeOnly ? undefined : `${file} imports more than types from ${specifier}`;
  if (target.startsWith("..")) return `${file} imports ${specifier}, which is outside of src/`;
  const [from, to] = [roomOf(file), roomOf(target)];
  const [fromLevel, toLevel] = [LEVELS[from], LEVELS[to]];
  if (fromLevel === undefined || toLevel === undefined) return `${file} imports ${specifier}: a room without a level`;
  if (from === to || toLevel < fromLevel) return undefined;
  return `${file} (${from}, ${fromLevel}) imports ${specifier} (${to}, ${toLevel})`;
}

const roomOf = (file: string): string => file.split(path.sep)[0] ?? "";

test("every import goes to the same room or a lower one", () => {
  const files = sourceFiles(src);
  const imports = [...files].flatMap(([file, text]) => importsOf(file, text));
  assert.ok(files.size > 30 && imports.length > 100, "the sources were read");
  assert.deepEqual(
    imports.map(violation).filter((found) => found !== undefined),
    [],
  );
});

test("every relative import names a file that exists, as the compiler writes it", () => {
  const missing = [...sourceFiles(src)]
    .flatMap(([file, text]) => importsOf(file, text))
    .filter(({ specifier }) => specifier.startsWith("."))
    .filter(({ file, specifier }) => {
      const target = path.join(src, path.dirname(file), specifier);
      return !specifier.endsWith(".js") || !existsSync(target.replace(/\.js$/, ".ts"));
    });
  assert.deepEqual(missing, []);
});

test("every room has a level", () => {
  const rooms = readdirSync(src, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  assert.deepEqual(
    rooms.map(({ name }) => name).filter((name) => LEVELS[name] === undefined),
    [],
  );
});

test("the check finds imports up, beside and out of the house, in each of their forms", () => {
  const check = (file: string, text: string): boolean =>
    importsOf(file, text).some((one) => violation(one) !== undefined);
  const bad: [string, string][] = [
    ["lib/a.ts", 'import { b } from "../link/b.js";'],
    ["link/a.ts", 'import type { B } from "../primary/b.js";'],
    ["link/a.ts", 'import { type B } from "../primary/b.js";'],
    ["primary/a.ts", 'import "../worker/main.js";'],
    ["worker/deep/a.ts", 'export * from "../../primary/b.js";'],
    ["worker/a.ts", 'const b = await import("../primary/b.js");'],
    ["config/a.ts", 'type B = import("../telemetry/b.js").B;'],
    ["lib/a.ts", 'import { b } from "../../test/b.js";'],
    ["attic/a.ts", 'import { b } from "../lib/b.js";'],
    ["index.ts", 'export { b } from "./primary/b.js";'],
  ];
  assert.deepEqual(
    bad.filter(([file, text]) => !check(file, text)),
    [],
  );
  assert.equal(
    check("worker/a.ts", 'import { b } from "./b.js"; import { c } from "../link/c.js"; import "ws";'),
    false,
  );
});
