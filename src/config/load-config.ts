/**
 * Puts the configuration together: defaults, then the file, then the variables, then the flags; the later one wins. Values that lose
 * are checked as well, and all problems of all sources are reported at once.
 */
import type { z } from "zod";
import type { Config } from "./config.js";
import { crossChecks } from "./cross-checks.js";
import { deepFreeze } from "./deep-readonly.js";
import { readEnvironment, type Environment } from "./environment.js";
import { readConfigFile } from "./file.js";
import { readFlags, type Flags } from "./flags.js";
import type { Given, Reading } from "./given.js";
import { CONFIG_FLAG, CONFIG_VARIABLE, configKeys, configOf, valueAt } from "./keys.js";
import { ConfigError, showValue, type Problem } from "./problem.js";
import { configSchema } from "./schema.js";

export interface ConfigSources {
  readonly flags?: Flags;
  readonly env: Environment;
  /** Relative paths of flags and variables start here; those of the file start beside the file. */
  readonly cwd: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Key (`front.maxRequestLineBytes`) to where its value came from: `default`, `file limpet.yaml:3`, `variable LIMPET_…`, `flag --…`. */
  readonly origins: ReadonlyMap<string, string>;
}

/** @throws ConfigError with every problem found */
export function loadConfig({ flags = { values: {}, rest: [] }, env, cwd }: ConfigSources): LoadedConfig {
  const readings = [readFile(flags, env, cwd), readEnvironment(env, cwd), readFlags(flags, cwd)];
  const given = readings.flatMap((reading) => reading.given);
  const problems = readings.flatMap((reading) => reading.problems);

  const winners = new Map<string, Given>();
  const broken = new Set<string>();
  for (const one of given) {
    const found = check(one);
    problems.push(...found);
    if (found.length > 0) broken.add(one.key.path);
    else winners.set(one.key.path, one);
  }

  const config = assemble(winners);
  for (const { key, reads, complain } of crossChecks) {
    if ([key, ...reads].some((path) => broken.has(path))) continue;
    const message = complain(config);
    if (message === undefined) continue;
    const winner = winners.get(key);
    const value = winner?.shown ?? showValue(valueAt(config, key));
    problems.push({ key, value, origin: winner?.origin ?? "default", message });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return { config, origins: new Map(configKeys.map(({ path }) => [path, winners.get(path)?.origin ?? "default"])) };
}

function readFile({ values }: Flags, env: Environment, cwd: string): Reading {
  const flag = values[CONFIG_FLAG];
  const variable = env[CONFIG_VARIABLE];
  if (typeof flag === "string") return readConfigFile(flag, `flag ${CONFIG_FLAG}`, cwd);
  if (variable !== undefined && variable !== "") return readConfigFile(variable, `variable ${CONFIG_VARIABLE}`, cwd);
  return { given: [], problems: [] };
}

function check({ key, value, shown, origin, originInside }: Given): Problem[] {
  const result = key.schema.safeParse(value);
  if (result.success) return [];
  const inner = key.textForm === "json" ? innerIssues(result.error.issues) : [];
  if (inner.length === 0) return [{ key: key.path, value: shown, origin, message: `must be ${key.allowed}` }];
  return inner.map(({ path, message }) => ({
    key: [key.path, ...path.map(String)].join("."),
    value: showValue(
      path.reduce<unknown>((outer, name) => (outer as Record<PropertyKey, unknown> | undefined)?.[name], value),
    ),
    origin: originInside?.(path) ?? origin,
    message: message === UNKNOWN ? `${UNKNOWN}; ${key.path} must be ${key.allowed}` : message,
  }));
}

const UNKNOWN = "unknown key";

interface InnerIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** The issues inside a mapping: for them the key's own sentence alone would not say which part is wrong. */
function innerIssues(issues: readonly z.core.$ZodIssue[]): InnerIssue[] {
  return issues.flatMap((issue) => {
    const { path } = issue;
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((name) => ({ path: [...path, name], message: UNKNOWN }));
    }
    if (issue.code === "invalid_union") {
      const deep = issue.errors.map((branch) => innerIssues(branch)).find((branch) => branch.length > 0);
      if (deep !== undefined) return deep.map((inner) => ({ ...inner, path: [...path, ...inner.path] }));
    }
    return path.length > 0 ? [{ path, message: `must be ${expected(issue)}` }] : [];
  });
}

function expected(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.expected === "int" ? "an integer" : `of type ${issue.expected}`;
    case "invalid_value":
      return `one of ${issue.values.map(String).join(", ")}`;
    case "invalid_union":
      return issue.errors.flat().map(expected).join(", or ");
    case "too_small":
      return issue.origin === "string" ? `of length ${issue.minimum} or more` : `at least ${issue.minimum}`;
    case "too_big":
      return `at most ${issue.maximum}`;
    default:
      return issue.message;
  }
}

function assemble(winners: ReadonlyMap<string, Given>): Config {
  const isGiven = (path: string): boolean => winners.has(path);
  const valueOf = (path: string): unknown => {
    const key = configKeys.find((candidate) => candidate.path === path);
    return winners.get(path)?.value ?? key?.derive?.(valueOf, isGiven) ?? key?.schema.parse(undefined);
  };
  return deepFreeze(configSchema.parse(configOf(({ path }) => valueOf(path))));
}
