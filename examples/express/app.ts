/**
 * Express and Socket.IO on one port: an HTTP route tells every browser, on every worker.
 *
 * Workers share no memory. What must be known to all of them belongs in a database, or, as here, is asked of Socket.IO.
 */
import express, { type ErrorRequestHandler } from "express";
import type { App } from "limpet";

const MAX_NOTICE_CHARS = 500;

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>Notices</title><link rel="icon" href="data:,">
<style>body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif }</style>
<h1>Notices</h1>
<p>Send one: <code>curl -H 'Content-Type: application/json' -d '{"text":"hello"}' <span id="url"></span></code></p>
<ul id="notices" role="log"></ul>
<script type="module">
  import { io } from "/socket.io/socket.io.esm.min.js";
  document.getElementById("url").textContent = new URL("/notices", location).href;
  io().on("notice", ({ text, at, worker }) => {
    const item = document.createElement("li");
    item.textContent = new Date(at).toLocaleTimeString() + " by way of worker " + worker + ": " + text;
    document.getElementById("notices").append(item);
  });
</script>
</html>
`;

const app: App = (io, limpet) => {
  const notices = limpet.metrics.counter({ name: "notices_total", help: "Notices published over HTTP" });

  const web = express();
  web.disable("x-powered-by");
  web.use(express.json({ limit: "16kb" }));

  web.get("/", (_request, response) => {
    response.type("html").send(PAGE);
  });

  // Whichever worker takes this request, the notice reaches the watchers of all.
  web.post("/notices", (request, response) => {
    const { text } = (request.body ?? {}) as { text?: unknown };
    if (typeof text !== "string" || text.trim() === "" || text.length > MAX_NOTICE_CHARS) {
      response.status(400).json({ error: `text must be a string of 1 to ${MAX_NOTICE_CHARS} characters` });
      return;
    }
    const notice = { text, at: Date.now(), worker: limpet.worker.slot };
    io.to("watchers").emit("notice", notice);
    notices.inc();
    limpet.log.info({ chars: text.length }, "notice published");
    response.status(202).json(notice);
  });

  web.get("/watchers", async (_request, response) => {
    const watchers = await io.in("watchers").fetchSockets();
    response.json({ watchers: watchers.length });
  });

  web.use(((error: { status?: number }, _request, response, _next) => {
    const status = error.status ?? 500;
    if (status >= 500) limpet.log.error({ err: error }, "a request failed");
    response.status(status).json({ error: status >= 500 ? "the server could not do this" : "bad request" });
  }) satisfies ErrorRequestHandler);

  limpet.http(web);

  io.on("connection", (socket) => {
    void socket.join("watchers");
    limpet.log.debug({ id: socket.id }, "a watcher came");
  });
};

export default app;
