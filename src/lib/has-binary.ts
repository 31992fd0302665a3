/** Whether a value holds binary data (Buffer, typed array, ArrayBuffer) at any depth, as Socket.IO's parser sees it. Cycles are not followed twice. */
export function hasBinary(value: unknown, seen?: Set<object>): boolean {
  if (value === null || typeof value !== "object") return false;
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return true;
  if ("toJSON" in value && typeof value.toJSON === "function")
    return hasBinary((value.toJSON as () => unknown)(), seen);
  const visited = seen ?? new Set<object>();
  if (visited.has(value)) return false;
  visited.add(value);
  if (Array.isArray(value)) return value.some((item) => hasBinary(item, visited));
  for (const key of Object.keys(value)) if (hasBinary((value as Record<string, unknown>)[key], visited)) return true;
  return false;
}
