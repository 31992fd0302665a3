/**
 * Reads the request line of an HTTP/1 request, and nothing after it. Routing needs the path and the query's `sid`; bodies, headers and
 * cookies are never looked at, so nothing in them can change a route.
 */
const LF = 0x0a;
const CR = 0x0d;
const REQUEST_LINE = /^[A-Z][A-Z-]{0,31} (\S+) HTTP\/1\.[01]$/;

export type RequestLine =
  | { readonly kind: "incomplete" }
  | { readonly kind: "too_long" }
  | { readonly kind: "not_http" }
  | { readonly kind: "complete"; readonly target: string };

const INCOMPLETE: RequestLine = { kind: "incomplete" };
const TOO_LONG: RequestLine = { kind: "too_long" };
const NOT_HTTP: RequestLine = { kind: "not_http" };

/**
 * @param head bytes received so far, from the connection's first one
 * @param maxBytes longest line accepted, without its line break
 */
export function readRequestLine(head: Buffer, maxBytes: number): RequestLine {
  let start = 0;
  // RFC 9112, 2.2: empty lines before the request line are ignored.
  while (start < head.length && (head[start] === CR || head[start] === LF)) start++;
  if (start > 64) return NOT_HTTP;
  const first = head[start];
  if (first === undefined) return INCOMPLETE;
  if (first < 0x41 || first > 0x5a) return NOT_HTTP;
  const end = head.indexOf(LF, start);
  if (end === -1) return head.length - start > maxBytes ? TOO_LONG : INCOMPLETE;
  const last = head[end - 1] === CR ? end - 1 : end;
  if (last - start > maxBytes) return TOO_LONG;
  const match = REQUEST_LINE.exec(head.toString("latin1", start, last));
  return match?.[1] === undefined ? NOT_HTTP : { kind: "complete", target: match[1] };
}

/**
 * The value of the query parameter that is named exactly `sid`; the last one where there are several, as Engine.IO reads it.
 * Undefined where there is none or it is empty.
 */
export function sidOf(target: string): string | undefined {
  const mark = target.indexOf("?");
  if (mark === -1) return undefined;
  const query = target.slice(mark + 1);
  if (query.includes("%") || query.includes("#") || query.includes("+")) return sidOfEncoded(query);
  let sid: string | undefined;
  for (let at = query.indexOf("sid="); at !== -1; at = query.indexOf("sid=", at + 4)) {
    if (at !== 0 && query.charCodeAt(at - 1) !== 0x26) continue;
    const end = query.indexOf("&", at);
    sid = query.slice(at + 4, end === -1 ? undefined : end);
  }
  return sid === "" ? undefined : sid;
}

function sidOfEncoded(query: string): string | undefined {
  const values = new URLSearchParams(query.split("#", 1)[0]).getAll("sid");
  return values.at(-1) || undefined;
}

/** Whether a request target belongs to Engine.IO, by the rule Engine.IO itself uses. `path` ends with a slash. */
export function isEnginePath(target: string, path: string): boolean {
  return target.startsWith(path);
}

/** Socket.IO's path as Engine.IO matches it: with exactly one slash at its end. */
export function enginePathOf(path: string): string {
  return `${path.replace(/\/$/, "")}/`;
}
