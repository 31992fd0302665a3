const ANY_HOST = new Set(["0.0.0.0", "::"]);

/** Whether to listen there is to listen on every interface. */
export function isAnyHost(host: string): boolean {
  return ANY_HOST.has(host);
}
