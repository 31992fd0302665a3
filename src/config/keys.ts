/** The schema as a list: every key with the names it goes by in the file, in the environment and on the command line. */
import { z } from "zod";
import type { Config } from "./config.js";
import { keyInfo, type KeyInfo } from "./key.js";
import { withoutPassword } from "../lib/redis-url.js";
import { configSchema } from "./schema.js";

export interface ConfigKey extends KeyInfo {
  /** The key in the file, sections joined by dots: `front.maxRequestLineBytes`. */
  readonly path: string;
  /** `LIMPET_FRONT_MAX_REQUEST_LINE_BYTES`. */
  readonly variable: string;
  /** `--log-level`; undefined for keys without a flag. */
  readonly flagName: string | undefined;
  readonly schema: z.ZodType;
  /** The default as documentation shows it. */
  readonly defaultText: string;
}

/** Where the file stands; itself no key of the file. */
export const CONFIG_VARIABLE = "LIMPET_CONFIG";
export const CONFIG_FLAG = "--config";

/** `socketio.allowEIO3` to `["socketio", "allow", "eio3"]`. */
function words(path: string): string[] {
  return path
    .replace(/([a-z0-9])([A-Z])/g, "$1.$2")
    .toLowerCase()
    .split(".");
}

export const variableOf = (path: string): string => `LIMPET_${words(path).join("_").toUpperCase()}`;
export const flagOf = (path: string): string => `--${words(path).join("-")}`;

function collect(shape: z.core.$ZodShape, prefix: string, keys: ConfigKey[], sections: string[]): void {
  for (const [name, schema] of Object.entries(shape)) {
    const path = prefix + name;
    const info = keyInfo.get(schema as z.ZodType);
    if (info !== undefined) {
      const fallback = (schema as z.ZodType).parse(undefined);
      keys.push({
        ...info,
        path,
        variable: info.variable ?? variableOf(path),
        flagName: info.flag && (info.flag.name ?? flagOf(path)),
        schema: schema as z.ZodType,
        defaultText: info.defaultText ?? (typeof fallback === "string" ? fallback : JSON.stringify(fallback)),
      });
    } else if (schema instanceof z.ZodObject) {
      sections.push(path);
      collect(schema.shape, `${path}.`, keys, sections);
    } else {
      throw new TypeError(`${path} in the schema is neither a key nor a section`);
    }
  }
}

const keys: ConfigKey[] = [];
const sections: string[] = [];
collect(configSchema.shape, "", keys, sections);

export const configKeys: readonly ConfigKey[] = keys;
export const configSections: ReadonlySet<string> = new Set(sections);

/** A value as it may be shown: secrets are not. */
export function showable({ secret }: KeyInfo, value: unknown): unknown {
  if (secret === undefined || value === null) return value;
  return secret === "url" && typeof value === "string" ? withoutPassword(value) : "***";
}

/** The configuration as it may be shown. */
export function showableConfig(config: Config): Config {
  return configOf((key) => showable(key, valueAt(config, key.path))) as Config;
}

/** A configuration, unchecked, that holds for each key what `valueOf` says. */
export function configOf(valueOf: (key: ConfigKey) => unknown): unknown {
  const tree: Record<string, unknown> = {};
  for (const key of configKeys) {
    const names = key.path.split(".");
    const last = names.pop() ?? key.path;
    const section = names.reduce((outer, name) => (outer[name] ??= {}) as Record<string, unknown>, tree);
    section[last] = valueOf(key);
  }
  return tree;
}

/** The value of the key `path` in a configuration. */
export function valueAt(config: Config, path: string): unknown {
  return path.split(".").reduce<unknown>((outer, name) => (outer as Record<string, unknown>)[name], config);
}
