/** A value that one source gives for one key, before it is checked. */
import path from "node:path";
import { showable, type ConfigKey } from "./keys.js";
import { showValue, type Problem } from "./problem.js";

export interface Given {
  readonly key: ConfigKey;
  readonly value: unknown;
  /** The value as it was written. */
  readonly shown: string;
  /** Where it was written: `file limpet.yaml:3`, `variable LIMPET_PORT`, `flag --port`. */
  readonly origin: string;
  /** The same for a part of the value, where the source can tell. */
  readonly originInside?: (path: readonly PropertyKey[]) => string;
}

/** What a source holds. */
export interface Reading {
  readonly given: readonly Given[];
  readonly problems: readonly Problem[];
}

/** Text that cannot be read in its form stays text: the schema refuses it then, and says what is allowed. */
function fromText(text: string, { textForm, schema }: ConfigKey): unknown {
  if (text === "null" && schema.safeParse(null).success) return null;
  switch (textForm) {
    case "integer":
      return /^-?\d+$/.test(text) ? Number(text) : text;
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text;
    case "list":
      return text.split(",").map((item) => item.trim());
    case "json":
      return parseJson(text);
    case "path":
    case "text":
      return text;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

/** @param directory relative paths start there */
function absolute(key: ConfigKey, value: unknown, directory: string): unknown {
  return key.textForm === "path" && typeof value === "string" && value !== "" ? path.resolve(directory, value) : value;
}

/** A value from a variable or a flag. */
export function givenText(key: ConfigKey, text: string, origin: string, directory: string): Given {
  return { key, value: absolute(key, fromText(text, key), directory), shown: showValue(showable(key, text)), origin };
}

/** A value from the file, which has types of its own. */
export function givenValue(
  key: ConfigKey,
  value: unknown,
  directory: string,
  origins: Required<Pick<Given, "origin" | "originInside">>,
): Given {
  return { key, value: absolute(key, value, directory), shown: showValue(showable(key, value)), ...origins };
}
