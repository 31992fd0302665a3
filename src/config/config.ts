/**
 * The one configuration every process of a node runs with: complete, checked and frozen. Made by `loadConfig`, read everywhere else.
 * Units stand in the names; `null` means "not set". What each key means stands in the schema and in docs/configuration.md.
 */
import type { z } from "zod";
import type { DeepReadonly } from "./deep-readonly.js";
import type { configSchema } from "./schema.js";

export type Config = DeepReadonly<z.output<typeof configSchema>>;
export type LogLevel = Config["log"]["level"];
