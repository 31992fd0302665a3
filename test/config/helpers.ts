/** What the tests of the configuration share: a directory of files, and the problems of a load that must fail. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { loadConfig, type ConfigSources, type LoadedConfig } from "../../src/config/load-config.js";
import { ConfigError, formatProblem } from "../../src/config/problem.js";

/** A directory that holds `files` for the length of the test. */
export function directoryWith(t: TestContext, files: Record<string, string>): string {
  const directory = mkdtempSync(path.join(tmpdir(), "limpet-config-"));
  t.after(() => rmSync(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(directory, name), text);
  return directory;
}

export const flags = (values: Record<string, string | true>, rest: string[] = []) => ({ values, rest });

export function load(sources: Partial<ConfigSources> = {}): LoadedConfig {
  return loadConfig({ env: {}, cwd: "/", ...sources });
}

/** Loads `text` as the file `limpet.yaml`. */
export function loadFile(t: TestContext, text: string, sources: Partial<ConfigSources> = {}): LoadedConfig {
  const cwd = directoryWith(t, { "limpet.yaml": text });
  return loadConfig({ cwd, ...sources, env: { LIMPET_CONFIG: "limpet.yaml", ...sources.env } });
}

/** The report's lines. */
export function problemsOf(action: () => unknown): string[] {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(formatProblem);
  }
  return assert.fail("the configuration was accepted");
}
