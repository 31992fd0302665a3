/** Loads the app module: JavaScript or TypeScript, default export `(io, limpet) => …`. */
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { App } from "../apps/contract.js";
import { channelsApp } from "../apps/channels/app.js";

/** The app cannot be used. `where` is `FILE:LINE:COLUMN` in the app's own code, where it is known. */
export class AppError extends Error {
  readonly where: string | undefined;

  constructor(message: string, where: string | undefined, cause?: unknown) {
    super(message, { cause });
    this.name = "AppError";
    this.where = where;
  }
}

/** @param file absolute path; `null`: the built-in channels app */
export async function loadApp(file: string | null): Promise<App> {
  if (file === null) return channelsApp;
  let module: { default?: unknown };
  try {
    if (/\.[cm]?tsx?$/.test(file)) {
      const { register } = await import("tsx/esm/api");
      register();
    }
    module = (await import(pathToFileURL(file).href)) as { default?: unknown };
  } catch (error) {
    throw new AppError(`the app ${file} cannot be loaded: ${reasonOf(error)}`, placeOf(error, file), error);
  }
  const app = unwrapDefault(module.default);
  if (typeof app !== "function") {
    throw new AppError(
      `the app ${file} has no default export that is a function (io, limpet) => …; it is ${describe(app)}`,
      file,
    );
  }
  return app as App;
}

/** Runs the app's function; what it throws names the app's file and line. */
export async function runApp(app: App, file: string | null, ...args: Parameters<App>): Promise<void> {
  try {
    await app(...args);
  } catch (error) {
    throw new AppError(
      `the app ${file ?? "built in"} failed to start: ${reasonOf(error)}`,
      placeOf(error, file ?? ""),
      error,
    );
  }
}

/** A CommonJS app compiled from `export default` arrives as { default: { default: app } }. */
function unwrapDefault(value: unknown): unknown {
  if (typeof value === "object" && value !== null && "default" in value) return value.default;
  return value;
}

function describe(value: unknown): string {
  return value === undefined ? "missing" : `of type ${value === null ? "null" : typeof value}`;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** The first place in a stack or a compiler's message that lies in the app's folder; else the first that is nobody's dependency. */
function placeOf(error: unknown, file: string): string | undefined {
  const text = error instanceof Error ? `${error.stack ?? ""}\n${error.message}` : String(error);
  const places = [...text.matchAll(/(?:file:\/\/)?(\/[^\s():?]+)(?:\?[^\s():]*)?:(\d+)(?::(\d+))?/g)].map(
    ([, at = "", line, column]) => ({
      at,
      text: column === undefined ? `${at}:${line}` : `${at}:${line}:${column}`,
    }),
  );
  const folder = path.dirname(file);
  const own = places.filter(({ at }) => !at.includes("/node_modules/"));
  const found = own.find(({ at }) => at === file) ?? own.find(({ at }) => at.startsWith(folder)) ?? own[0];
  return found?.text ?? (file === "" ? undefined : file);
}
