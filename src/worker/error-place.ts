/** Finds the place in the app's own code that an error is about, as `FILE:LINE:COLUMN`. */
import path from "node:path";

/** A path after a blank, a bracket or `file://`; not one of Node's own (`node:internal/…`). */
const PLACE = /(?:file:\/\/|(?<=^|[\s(]))(\/[^\s():?]+)(?:\?[^\s():]*)?:(\d+)(?::(\d+))?/gm;

/**
 * @param file the app's file
 * @returns the first place in the error's stack or a compiler's message that lies in that file, else in its folder, else in what is nobody's
 * dependency; for what cannot be parsed the place in whichever of the app's modules that is; the file alone where nothing is known
 */
export async function placeOf(error: unknown, file: string): Promise<string> {
  const text = error instanceof Error ? `${error.stack ?? ""}\n${error.message}` : String(error);
  const places = [...text.matchAll(PLACE)].map(([, at = "", line, column]) => ({
    at,
    text: column === undefined ? `${at}:${line}` : `${at}:${line}:${column}`,
  }));
  const own = places.filter(({ at }) => !at.includes("/node_modules/"));
  const within = `${path.dirname(file)}/`;
  const found = own.find(({ at }) => at === file) ?? own.find(({ at }) => at.startsWith(within));
  if (found !== undefined) return found.text;
  return (error instanceof SyntaxError ? await syntaxErrorIn(file) : undefined) ?? own[0]?.text ?? file;
}

/** Node tells where a module cannot be parsed only on its way out; the compiler looks through the app's modules without running them. */
async function syntaxErrorIn(file: string): Promise<string | undefined> {
  const { build } = await import("esbuild");
  const folder = path.dirname(file);
  try {
    await build({
      entryPoints: [file],
      absWorkingDir: folder,
      bundle: true,
      packages: "external",
      platform: "node",
      format: "esm",
      write: false,
      logLevel: "silent",
    });
  } catch (error) {
    // What the compiler cannot do is no news here: the app's own error is what is reported.
    const { errors = [] } = error as { errors?: readonly { location: Location | null }[] };
    const location = errors.find((one) => one.location !== null)?.location;
    if (location != null) return `${path.resolve(folder, location.file)}:${location.line}:${location.column + 1}`;
  }
  return undefined;
}

interface Location {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 0. */
  readonly column: number;
}
