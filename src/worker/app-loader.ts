/** Loads the app module: JavaScript or TypeScript, default export `(io, limpet) => …`. */
import { pathToFileURL } from "node:url";
import type { App } from "../apps/contract.js";
import { channelsApp } from "../apps/channels/app.js";
import { placeOf } from "./error-place.js";

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
    throw new AppError(`the app ${file} cannot be loaded: ${reasonOf(error)}`, await placeOf(error, file), error);
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
      file === null ? undefined : await placeOf(error, file),
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

/** In one line: a compiler's message has several. */
function reasonOf(error: unknown): string {
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return reason.trim().replace(/\s*\n\s*/g, " ");
}
