/** Which server a script loads. Loopback, unless whoever runs it says that the server is theirs to load. */

/**
 * The origin in LOAD_URL.
 * @throws Error when it is missing, no http(s) origin, or elsewhere and LOAD_I_OWN_THIS_SERVER is not "yes"
 */
export function targetUrl(environment: Readonly<Record<string, string | undefined>> = __ENV): string {
  const url = environment["LOAD_URL"];
  if (url === undefined) throw new Error("LOAD_URL is not set, such as -e LOAD_URL=http://127.0.0.1:3000");
  if (environment["LOAD_I_OWN_THIS_SERVER"] !== "yes") refuseForeign(url);
  return url;
}

/** @throws Error when the URL is no http(s) origin, or is not on this machine */
export function refuseForeign(url: string): void {
  const host = /^https?:\/\/(\[[0-9a-f:]+\]|[^/:@?#[\]]+)(?::\d+)?\/?$/i.exec(url)?.[1];
  if (host === undefined) throw new Error(`${JSON.stringify(url)} is no origin such as http://127.0.0.1:3000`);
  if (host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host)) return;
  throw new Error(`${host} is not this machine, and a load test is an attack on a server that is not yours`);
}
