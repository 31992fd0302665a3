import assert from "node:assert/strict";
import { createServer } from "node:http";
import test from "node:test";
import { Server as Engine } from "engine.io";
import { Server, type ServerOptions } from "socket.io";
import { toServerOptions } from "../../src/config/socketio-options.js";
import { refusedKeys } from "../../src/config/socketio-schema.js";
import { load, loadFile } from "./helpers.js";

/** What a `Server` made with `options` runs with: the values Socket.IO and Engine.IO ended up with. */
function effective(options: Partial<ServerOptions>) {
  const http = createServer();
  const io = new Server(http, options);
  const { wsEngine: _wsEngine, ...engine } = io.engine.opts as Record<string, unknown>;
  return {
    engine,
    path: io.path(),
    serveClient: io.serveClient(),
    connectTimeout: io.connectTimeout(),
    cleanup: (io as unknown as { opts: { cleanupEmptyChildNamespaces: boolean } }).opts.cleanupEmptyChildNamespaces,
  };
}

test("the defaults are those of the installed Socket.IO and Engine.IO", () => {
  const stock = effective({});
  const ours = effective(toServerOptions(load().config.socketio));
  const { engine } = ours;
  assert.deepEqual({ ...ours, engine: undefined }, { ...stock, engine: undefined });
  for (const [name, value] of Object.entries(stock.engine)) assert.deepEqual(engine[name], value, name);
  const added = Object.keys(engine).filter((name) => !(name in stock.engine));
  assert.deepEqual(added.sort(), ["connectTimeout", "cookie", "perMessageDeflate", "serveClient"]);
  assert.equal(engine["cookie"], false);
  assert.equal(engine["perMessageDeflate"], false);
});

test("every option the file carries arrives in Socket.IO and Engine.IO", (t) => {
  const text = `
socketio:
  path: /rt/
  serveClient: false
  connectTimeout: 1
  cleanupEmptyChildNamespaces: true
  pingInterval: 2
  pingTimeout: 3
  upgradeTimeout: 4
  maxHttpBufferSize: 5
  transports: [websocket]
  allowUpgrades: false
  perMessageDeflate: { threshold: 6, zlibDeflateOptions: { level: 1 } }
  httpCompression: { threshold: 7 }
  allowEIO3: true
  cookie: { name: sid, sameSite: strict }
  cors: { origin: [https://a.example], credentials: true }
`;
  const { config } = loadFile(t, text);
  const { engine, ...io } = effective(toServerOptions(config.socketio));
  assert.deepEqual(io, { path: "/rt", serveClient: false, connectTimeout: 1, cleanup: true });
  assert.deepEqual(engine, {
    path: "/rt",
    serveClient: false,
    connectTimeout: 1,
    cleanupEmptyChildNamespaces: true,
    pingInterval: 2,
    pingTimeout: 3,
    upgradeTimeout: 4,
    maxHttpBufferSize: 5,
    transports: ["websocket"],
    allowUpgrades: false,
    perMessageDeflate: { threshold: 6, zlibDeflateOptions: { level: 1 } },
    httpCompression: { threshold: 7 },
    allowEIO3: true,
    cookie: { name: "sid", path: "/", httpOnly: true, sameSite: "strict" },
    cors: { origin: ["https://a.example"], credentials: true },
  });
});

test("the times of recovery are Socket.IO's own; whether it is on is not", (t) => {
  const { connectionStateRecovery } = load().config.socketio;
  const stock = new Server(createServer(), { connectionStateRecovery: {} });
  assert.deepEqual(
    connectionStateRecovery,
    (stock as unknown as { opts: Partial<ServerOptions> }).opts.connectionStateRecovery,
  );
  const text = "socketio:\n  connectionStateRecovery:\n    maxDisconnectionDuration: 5000\n";
  const { socketio } = loadFile(t, text).config;
  assert.deepEqual(socketio.connectionStateRecovery, { maxDisconnectionDuration: 5000, skipMiddlewares: true });
  assert.ok(!("connectionStateRecovery" in toServerOptions(socketio)));
});

test("Socket.IO gets a copy it may write to", () => {
  const { socketio } = load().config;
  const options = toServerOptions(socketio);
  options.transports?.push("websocket");
  assert.ok(!Object.isFrozen(options) && !Object.isFrozen(options.httpCompression));
  assert.deepEqual(socketio.transports, ["polling", "websocket"]);
});

test("every option in Engine.IO's own defaults is a key or refused", () => {
  const known = new Set([
    ...Object.keys(load().config.socketio),
    ...[...refusedKeys.keys()].map((key) => key.split(".")[1]),
  ]);
  for (const name of Object.keys(new Engine().opts)) assert.ok(known.has(name), name);
});
