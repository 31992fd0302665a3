/** Reads the flags of the command line, after the command's parser has cut it up. */
import { givenText, type Given, type Reading } from "./given.js";
import { CONFIG_FLAG, configKeys, flagOf } from "./keys.js";
import { didYouMean, nearest } from "./near-miss.js";
import { showValue, type Problem } from "./problem.js";

export interface Flags {
  /** Flag to value, as written; `true` where there was none. */
  readonly values: Readonly<Record<string, string | true>>;
  /** Arguments that are no known flag. */
  readonly rest: readonly string[];
}

const keyByFlag = new Map(
  configKeys.flatMap((key) => (key.flagName === undefined ? [] : [[key.flagName, key] as const])),
);
const keyWithoutFlag = new Map(
  configKeys.filter((key) => key.flagName === undefined).map((key) => [flagOf(key.path), key]),
);

export function readFlags({ values, rest }: Flags, cwd: string): Reading {
  const given: Given[] = [];
  const problems: Problem[] = [];
  for (const [flag, value] of Object.entries(values)) {
    const key = keyByFlag.get(flag);
    const text = value === true && key?.textForm === "boolean" ? "true" : value;
    if (text === true)
      problems.push({ key: flag, origin: "command line", message: `needs a value: ${allowedBehind(flag)}` });
    else if (key !== undefined) given.push(givenText(key, text, `flag ${flag}`, cwd));
    else if (flag !== CONFIG_FLAG)
      problems.push({ key: flag, value: showValue(text), origin: "command line", message: explainUnknown(flag) });
  }
  return { given, problems: [...problems, ...readRest(rest)] };
}

function readRest(rest: readonly string[]): Problem[] {
  const problems: Problem[] = [];
  for (let i = 0; i < rest.length; i++) {
    const argument = rest[i] ?? "";
    if (!argument.startsWith("-")) {
      problems.push({
        key: argument,
        origin: "command line",
        message: "unexpected argument; values stand behind their flag",
      });
      continue;
    }
    const [flag = "", inline] = argument.split(/=(.*)/s, 2);
    const next = rest[i + 1];
    const value = inline ?? (next !== undefined && !next.startsWith("-") ? rest[++i] : undefined);
    const shown = value === undefined ? {} : { value: showValue(value) };
    problems.push({ key: flag, ...shown, origin: "command line", message: explainUnknown(flag) });
  }
  return problems;
}

const allowedBehind = (flag: string): string => keyByFlag.get(flag)?.allowed ?? "the path of a YAML or JSON file";

function explainUnknown(flag: string): string {
  const key = keyWithoutFlag.get(flag);
  if (key !== undefined) return `has no flag; set ${key.path} in the file, or ${key.variable}`;
  const flags = [...keyByFlag.keys(), CONFIG_FLAG];
  return `unknown flag; ${didYouMean(nearest(flag, flags), `the flags are ${flags.join(", ")}`)}`;
}
