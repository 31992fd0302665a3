import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { configKeys } from "../../src/config/keys.js";

const root = path.resolve(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(path.join(root, file), "utf8");

test("the generated tables are fresh", () => {
  const { status, stderr } = spawnSync(process.execPath, ["tools/docs.mjs", "--check"], {
    cwd: root,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
});

test("docs/configuration.md has a row for every key with its variable and flag, the README one for every flag", () => {
  const rows = read("docs/configuration.md").split("\n");
  const readme = read("README.md").split("\n");
  for (const { path: name, variable, flagName } of configKeys) {
    const names = [name, variable, ...(flagName === undefined ? [] : [flagName])].map((text) => `| \`${text}\``);
    const row = rows.find((line) => line.startsWith(`| \`${name}\``));
    assert.ok(
      names.every((text) => row?.includes(text)),
      name,
    );
    if (flagName !== undefined)
      assert.ok(
        readme.some((line) => line.startsWith(`| \`${flagName}\``)),
        flagName,
      );
  }
});
