/** The log: one JSON line a fact, on stdout. */
import { pino, stdTimeFunctions, type Logger } from "pino";

/** What each line of a process carries. */
export interface LogBindings {
  /** Number of the node; lines from before it is known have none. */
  readonly node?: number;
  /** Slot of the worker; the primary's lines have none. */
  readonly worker?: number;
}

export interface LogOptions extends LogBindings {
  readonly level: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
}

/** Lines hold `level` as a word, `time` in ISO 8601, the bindings, the fact's own fields and `msg`; an error stands under `err`. */
export function createLogger({ level, ...bindings }: LogOptions): Logger {
  return pino({
    level,
    base: bindings,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
