/** The demo page over plain HTTP. */
import assert from "node:assert/strict";
import http from "node:http";
import test, { after, before } from "node:test";
import { startNode, type TestNode } from "../support/node.js";

let node: TestNode;

before(async () => {
  node = await startNode({ workers: 1 });
});

after(async () => {
  await node.stop();
});

interface Reply {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** With the path as given: fetch and URL would tidy it. */
function request(path: string, options: http.RequestOptions = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = http.request(
      { host: "127.0.0.1", port: node.port, path, agent: false, timeout: 10_000, ...options },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() });
        });
      },
    );
    sent.on("timeout", () => sent.destroy(new Error(`${path}: no answer`)));
    sent.on("error", reject);
    sent.end();
  });
}

test("the page and everything it names are served with their types", async () => {
  const page = await request("/");
  assert.equal(page.status, 200);
  assert.equal(page.headers["content-type"], "text/html; charset=utf-8");
  assert.doesNotMatch(page.body, /\{\{/, "nothing is left to fill in");
  const named = [...page.body.matchAll(/(?:href|src)="([\w.-]+)"/g)].map(([, name]) => name ?? "");
  assert.ok(named.includes("app.js") && named.includes("style.css") && named.includes("icon.svg"));
  const types = { js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", svg: "image/svg+xml" };
  const checked = new Set<string>();
  for (const name of named) {
    if (checked.has(name)) continue;
    checked.add(name);
    const { status, headers, body } = await request(`/${name}`);
    assert.equal(status, 200, name);
    assert.equal(headers["content-type"], types[name.split(".").at(-1) as keyof typeof types], name);
    assert.equal(Number(headers["content-length"]), Buffer.byteLength(body));
    if (name.endsWith(".js")) named.push(...[...body.matchAll(/from "\.\/([\w.-]+)"/g)].map(([, file]) => file ?? ""));
  }
  assert.ok(checked.size > 8, "the modules were followed");
  assert.equal((await request("/?utm=1")).status, 200, "a query does not matter");
});

test("the client library the page loads is there", async () => {
  const { status, headers } = await request("/socket.io/socket.io.esm.min.js");
  assert.equal(status, 200);
  assert.match(headers["content-type"] ?? "", /javascript/);
});

test("HEAD has the headers and no body; an ETag that matches gets 304", async () => {
  const { headers } = await request("/style.css");
  const head = await request("/style.css", { method: "HEAD" });
  assert.deepEqual([head.status, head.body], [200, ""]);
  assert.equal(head.headers["content-length"], headers["content-length"]);
  const etag = headers.etag ?? assert.fail("no ETag");
  assert.equal(headers["cache-control"], "no-cache");
  for (const value of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    const cached = await request("/style.css", { headers: { "If-None-Match": value } });
    assert.deepEqual([cached.status, cached.body, cached.headers.etag], [304, "", etag], value);
  }
  assert.equal((await request("/style.css", { headers: { "If-None-Match": '"other"' } })).status, 200);
});

test("scripts, styles and images may come from nowhere else", async () => {
  for (const path of ["/", "/app.js", "/nothing"]) {
    const { headers } = await request(path);
    assert.match(
      String(headers["content-security-policy"]),
      /^default-src 'none'; script-src 'self'; style-src 'self';/,
    );
    assert.doesNotMatch(String(headers["content-security-policy"]), /unsafe/);
    assert.equal(headers["x-content-type-options"], "nosniff");
  }
});

test("every other path is 404, whatever it climbs over", async () => {
  const paths = [
    "/nothing",
    "/index.html/",
    "/app.js/",
    "//app.js",
    "/../app.ts",
    "/../../../../etc/passwd",
    "/%2e%2e/app.js",
    "/..%2fpage.js",
    "/public/app.js",
    "/app.js%00.css",
    "/__proto__",
    "/constructor",
  ];
  for (const path of paths) {
    const { status, body } = await request(path);
    assert.deepEqual([status, body], [404, "not found\n"], path);
  }
});

test("methods other than GET and HEAD are refused, and say which are not", async () => {
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const { status, headers } = await request("/", { method });
    assert.deepEqual([status, headers.allow], [405, "GET, HEAD"], method);
  }
});
