// Writes the generated tables into the documentation, between `<!-- NAME:start -->` and `<!-- NAME:end -->`. Reads dist/: build first.
// With --check it writes nothing, and exits with 1 when a table is stale.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { format } from "prettier";

const root = path.resolve(import.meta.dirname, "..");
const check = process.argv.includes("--check");

if (!existsSync(path.join(root, "dist/config/keys.js"))) {
  console.error("dist/ is missing: run `npm run build` first");
  process.exit(1);
}

/** Each module exports `blocks`: a list of { file, name, render(): Markdown }. */
const modules = await Promise.all([import("./docs-configuration.mjs"), import("./docs-metrics.mjs")]);
const blocks = modules.flatMap((module) => module.blocks);

/** The text with the block's content replaced. */
async function fill(text, { file, name, render }) {
  const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const from = text.indexOf(start);
  const to = text.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`${file} has no ${start} … ${end}`);
  const content = await format(render(), { parser: "markdown", printWidth: 120 });
  return `${text.slice(0, from + start.length)}\n\n${content}\n${text.slice(to)}`;
}

const stale = [];
for (const file of new Set(blocks.map((block) => block.file))) {
  const target = path.join(root, file);
  const before = readFileSync(target, "utf8");
  let after = before;
  for (const block of blocks.filter((candidate) => candidate.file === file)) after = await fill(after, block);
  if (after === before) continue;
  stale.push(file);
  if (!check) writeFileSync(target, after);
}

if (check && stale.length > 0) {
  console.error(`stale: ${stale.join(", ")}; run \`npm run docs\``);
  process.exit(1);
}
