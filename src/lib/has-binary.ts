/**
 * Whether a value holds binary data (Buffer, typed array, ArrayBuffer) at any depth, as Socket.IO's parser sees it. Cycles are not followed twice.
 *
 * Small values are walked without an account of what was met: V8 would write a hash into each object for it.
 */
export function hasBinary(value: unknown): boolean {
  left = SMALL;
  const found = search(value, undefined);
  return left >= 0 ? found : search(value, new Set());
}

/** Objects and lists. */
const SMALL = 32;
let left = 0;

/**
 * Without `seen` it gives up where `left` falls below zero.
 * @param isAnswer of a value's toJSON: its own is not asked, as JSON.stringify does not
 */
function search(value: unknown, seen: Set<object> | undefined, isAnswer = false): boolean {
  if (value === null || typeof value !== "object") return false;
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return true;
  if (!isAnswer && "toJSON" in value && typeof value.toJSON === "function")
    return search((value.toJSON as () => unknown)(), seen, true);
  if (seen === undefined) {
    if (--left < 0) return false;
  } else {
    if (seen.has(value)) return false;
    seen.add(value);
  }
  if (Array.isArray(value)) {
    for (const item of value) if (search(item, seen)) return true;
    return false;
  }
  for (const key of Object.keys(value)) if (search((value as Record<string, unknown>)[key], seen)) return true;
  return false;
}
