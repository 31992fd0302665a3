/**
 * What the schema says of each key beside its type. Documentation, `--help`, the `LIMPET_*` variables and the error reports are all
 * derived from it, so that a key is described once.
 */
import { statSync } from "node:fs";
import { z } from "zod";

/** How a value is written where there is only text: in a variable or behind a flag. */
export type TextForm = "text" | "path" | "integer" | "boolean" | "list" | "json";

export type FlagGroup = "App:" | "Clients:" | "Processes:" | "Fleet:" | "Operations:";

export interface KeyInfo {
  /** One sentence, as it stands in the documentation. */
  readonly description: string;
  /** Ends the sentence "it must be …". */
  readonly allowed: string;
  readonly textForm: TextForm;
  readonly unit?: "ms" | "bytes";
  /** Replaces the default's value in documentation, where it depends on the machine. */
  readonly defaultText?: string;
  /** The default where it depends on other keys: on their values, and on which keys were given at all. */
  readonly derive?: (valueOf: (path: string) => unknown, isGiven: (path: string) => boolean) => unknown;
  /** The key's variable, where it does not follow from the key. */
  readonly variable?: string;
  /** Keys without it are set in the file or by their variable only. A boolean one needs no value behind its flag. */
  readonly flag?: {
    readonly group: FlagGroup;
    readonly placeholder: string;
    /** Where it does not follow from the key. */
    readonly name?: string;
  };
  /** What no output may show: the value, or the password inside the URL. */
  readonly secret?: "whole" | "url";
}

export const keyInfo = z.registry<KeyInfo>();

/** Node's timers hold 31 bits; a longer delay fires at once. */
export const MAX_TIMER_MS = 2_147_483_647;

/** What a queue may be allowed to hold, at most. */
export const MAX_QUEUE_BYTES = 1_099_511_627_776;

export const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/** Makes `schema` a key of the configuration. */
export function key<S extends z.ZodType>(schema: S, info: KeyInfo): S {
  keyInfo.add(schema, info);
  return schema;
}

type Rest = Pick<KeyInfo, "unit" | "defaultText" | "flag"> & { readonly note?: string };

/** A key that holds an integer from `min` to `max`. */
export function integerKey(
  [min, max]: readonly [min: number, max: number],
  fallback: number | (() => number),
  description: string,
  { note, ...rest }: Rest = {},
): z.ZodDefault<z.ZodInt> {
  const integer = z.int().min(min).max(max);
  const schema = typeof fallback === "number" ? integer.default(fallback) : integer.default(fallback);
  const inUnit = rest.unit === undefined ? "" : `, in ${rest.unit}`;
  const allowed = `an integer from ${min} to ${max}${inUnit}${note === undefined ? "" : ` (${note})`}`;
  return key(schema, { description, allowed, textForm: "integer", ...rest });
}

/** A key that holds a time from `minMs` on. */
export function timeKey(minMs: number, fallbackMs: number, description: string): z.ZodDefault<z.ZodInt> {
  return integerKey([minMs, MAX_TIMER_MS], fallbackMs, description, { unit: "ms" });
}

/** A key that is on or off. */
export function booleanKey(
  fallback: boolean,
  description: string,
  rest: Pick<KeyInfo, "defaultText" | "derive" | "variable" | "flag"> = {},
): z.ZodDefault<z.ZodBoolean> {
  return key(z.boolean().default(fallback), { description, allowed: "true or false", textForm: "boolean", ...rest });
}
