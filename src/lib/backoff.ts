/** Exponential back-off without a clock: the delay before attempt n + 1, after n failures in a row. */
export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
}

export function backoffMs(failures: number, { firstMs, maxMs }: BackoffOptions): number {
  if (failures <= 0) return 0;
  return Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
}
