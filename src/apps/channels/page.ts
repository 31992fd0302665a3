/**
 * The demo page, served from memory: what is in public/ at start is all there is, so no request can name a file.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "../../config/config.js";
import type { HttpListener } from "../contract.js";

const CONTENT_TYPES: ReadonlyMap<string, string> = new Map([
  [".html", "text/html; charset=utf-8"],
  [".css", "text/css; charset=utf-8"],
  [".js", "text/javascript; charset=utf-8"],
  [".svg", "image/svg+xml"],
]);

/** Images of members are shown from blobs; everything else is this origin's, and nothing is inline. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

interface Asset {
  readonly body: Buffer;
  readonly etag: string;
  readonly contentType: string;
}

/** A request listener for the page and its files; every other path is 404, every method but GET and HEAD 405. */
export function pageListener(socketio: Pick<Config["socketio"], "path" | "transports">): HttpListener {
  const assets = loadAssets(fileURLToPath(new URL("./public/", import.meta.url)), {
    SOCKETIO_PATH: socketio.path,
    SOCKETIO_TRANSPORTS: socketio.transports.join(" "),
  });
  return (request, response) => {
    serve(assets, request, response);
  };
}

function loadAssets(directory: string, values: Readonly<Record<string, string>>): ReadonlyMap<string, Asset> {
  const assets = new Map<string, Asset>();
  for (const name of readdirSync(directory)) {
    const contentType = CONTENT_TYPES.get(path.extname(name));
    if (contentType === undefined) throw new Error(`${path.join(directory, name)} has no known content type`);
    const file = readFileSync(path.join(directory, name));
    const body = name.endsWith(".html") ? Buffer.from(fillIn(file.toString("utf8"), values)) : file;
    const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
    assets.set(name === "index.html" ? "/" : `/${name}`, { body, etag, contentType });
  }
  return assets;
}

const fillIn = (html: string, values: Readonly<Record<string, string>>): string =>
  html.replace(/\{\{(\w+)\}\}/g, (_, key: string) => {
    const value = values[key];
    if (value === undefined) throw new Error(`the page asks for an unknown value, ${key}`);
    return value.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
  });

function serve(assets: ReadonlyMap<string, Asset>, request: IncomingMessage, response: ServerResponse): void {
  response.setHeader("Content-Security-Policy", CONTENT_SECURITY_POLICY);
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("Referrer-Policy", "no-referrer");
  const asset = assets.get((request.url ?? "").replace(/[?#].*$/s, ""));
  if (asset === undefined) {
    refuse(response, 404, "not found");
    return;
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    refuse(response, 405, "method not allowed");
    return;
  }
  response.setHeader("ETag", asset.etag);
  response.setHeader("Cache-Control", "no-cache");
  if (matches(request.headers["if-none-match"], asset.etag)) {
    response.writeHead(304).end();
    return;
  }
  response.writeHead(200, { "Content-Type": asset.contentType, "Content-Length": asset.body.byteLength });
  response.end(request.method === "HEAD" ? undefined : asset.body);
}

function refuse(response: ServerResponse, status: number, reason: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" });
  response.end(`${reason}\n`);
}

/** Weak comparison, as If-None-Match asks for. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").some((candidate) => ["*", etag].includes(candidate.trim().replace(/^W\//, "")));
}
