/** Headers as Node hands them over before it reads anything into them: names and values in turn, each byte a character (latin1). */
import type { IncomingMessage } from "node:http";

/** Headers that are about one connection and not about the message. */
const HOP_BY_HOP = ["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"];

/** Without those, and without what `Connection` names (RFC 9110, 7.6.1). */
export function withoutHopByHop({ rawHeaders, headers }: IncomingMessage): string[] {
  const dropped = new Set(HOP_BY_HOP);
  for (const name of (headers.connection ?? "").split(",")) dropped.add(name.trim().toLowerCase());
  return without(rawHeaders, dropped);
}

/** @param names in lower case */
export function without(rawHeaders: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    const value = rawHeaders[i + 1];
    if (name !== undefined && value !== undefined && !names.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

/** The head of a request as it was written, but with these headers. */
export function requestHead({ method, url, httpVersion }: IncomingMessage, rawHeaders: readonly string[]): string {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) head += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  return `${head}\r\n`;
}

/**
 * Changes a request's headers as its readers see them.
 *
 * @param changes by name in lower case; undefined takes a header away
 */
export function changeHeaders(request: IncomingMessage, changes: ReadonlyMap<string, string | undefined>): void {
  // Both are made from the raw ones when they are first asked for, by a count that stays what it was.
  const { headers, headersDistinct, rawHeaders } = request;
  const kept = without(rawHeaders, new Set(changes.keys()));
  for (const [name, value] of changes) {
    delete headers[name];
    delete headersDistinct[name];
    if (value === undefined) continue;
    headers[name] = value;
    headersDistinct[name] = [value];
    kept.push(name, value);
  }
  rawHeaders.splice(0, rawHeaders.length, ...kept);
}
