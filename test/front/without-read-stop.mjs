// Loaded into a node by --import: takes the one line out of the hand-over that stops reading, to show what it is there for.
import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

const LINE = "handle.readStop();";

// A module's hooks run in a thread of their own, which loads this file again.
if (isMainThread) register(import.meta.url);

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  if (!url.endsWith("/primary/handoff.js")) return loaded;
  const source = loaded.source.toString();
  if (!source.includes(LINE)) throw new Error(`${url} has no line ${LINE}`);
  return { ...loaded, source: source.replace(LINE, "") };
}
