/** One door for each dependency: who may import what, so that replacing it is the change of one file. */
import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { root } from "../support/node.js";
import { importsOf, readsEnvironment, sourceFiles, type Import } from "./imports.js";

const files = sourceFiles(path.join(root, "src"));
const imports = [...files].flatMap(([file, text]) => importsOf(file, text));

interface Door {
  readonly module: RegExp;
  /** What may import it for more than its types. */
  readonly values: RegExp;
  /** What may import its types. */
  readonly types: RegExp;
}

const NOBODY = /^\b$/;
const DOORS: Readonly<Record<string, Door>> = {
  "node:cluster": {
    module: /^(node:)?cluster$/,
    values: /^(primary\/fork-worker|worker\/main)\.ts$/,
    types: /^(primary|worker)\//,
  },
  "prom-client": { module: /^prom-client$/, values: /^telemetry\//, types: /^(telemetry|apps)\// },
  pino: { module: /^pino$/, values: /^telemetry\/log\.ts$/, types: /./ },
  commander: { module: /^commander$/, values: /^cli\//, types: /^cli\// },
  zod: { module: /^zod(\/|$)/, values: /^(config|apps)\//, types: /^(config|apps)\// },
  "@socket.io/sticky": { module: /^@socket\.io\/sticky$/, values: /^worker\/http-server\.ts$/, types: NOBODY },
  ioredis: {
    module: /^ioredis$/,
    values: /^lib\/redis-(client|command)\.ts$/,
    types: /^lib\/redis(-client|-command)?\.ts$/,
  },
  "ipaddr.js": {
    module: /^ipaddr\.js$/,
    values: /^access\/client-address\.ts$/,
    types: /^access\/client-address\.ts$/,
  },
  "rate-limiter-flexible": {
    module: /^rate-limiter-flexible$/,
    values: /^access\/user-limit\.ts$/,
    types: /^access\/user-limit\.ts$/,
  },
  "what only tests use": {
    module: /^(@socket\.io\/(cluster|redis-streams)-adapter|socket\.io-client|playwright-core|express|typescript)$/,
    values: NOBODY,
    types: NOBODY,
  },
};

const enters = ({ module, values, types }: Door, { file, specifier, typeOnly }: Import): boolean =>
  module.test(specifier) && !(typeOnly ? types : values).test(file);

for (const [name, door] of Object.entries(DOORS)) {
  test(`${name} comes in by its own door alone`, () => {
    assert.deepEqual(
      imports.filter((one) => enters(door, one)).map(({ file, specifier }) => `${file} imports ${specifier}`),
      [],
    );
    const foreign = importsOf("lib/a.ts", `import { a } from "${sampleOf(name)}";`);
    assert.ok(
      foreign.some((one) => enters(door, one)),
      "the check finds an import elsewhere",
    );
  });
}

const sampleOf = (name: string): string => (name.includes(" ") ? "socket.io-client" : name);

test("the doors that are in use are where the table says", () => {
  for (const name of ["node:cluster", "prom-client", "pino", "commander", "zod", "@socket.io/sticky"]) {
    assert.ok(
      imports.some(({ specifier, typeOnly }) => !typeOnly && specifier === name),
      `nobody imports ${name}: the table is stale`,
    );
  }
});

test("the environment is read in one file", () => {
  const readers = [...files].filter(([file, text]) => readsEnvironment(file, text)).map(([file]) => file);
  assert.deepEqual(readers, ["config/sources.ts"]);
});

test("the check finds every way to read the environment", () => {
  for (const text of [
    "const a = process.env.A;",
    'const a = process["env"].A;',
    "const { env } = process;",
    "const { env: e } = process;",
    'import { env } from "node:process";',
  ]) {
    assert.equal(readsEnvironment("a.ts", text), true, text);
  }
  assert.equal(readsEnvironment("a.ts", "const environment = { env: process.pid };"), false);
});
