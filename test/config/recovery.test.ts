import assert from "node:assert/strict";
import test from "node:test";
import { flags, load, loadFile, problemsOf } from "./helpers.js";

const APP = import.meta.filename;
const enabled = (sources: Parameters<typeof load>[0]): boolean => load(sources).config.recovery.enabled;

test("recovery is on with the built-in app, and off with an app of one's own", () => {
  assert.equal(enabled({}), true);
  assert.equal(enabled({ flags: flags({ "--app": APP }) }), false);
  assert.equal(enabled({ env: { LIMPET_APP: APP } }), false);
});

test("--recovery, LIMPET_RECOVERY or the file's key ask for it, each over the one before", (t) => {
  const app = { "--app": APP };
  assert.equal(enabled({ flags: flags({ ...app, "--recovery": true }) }), true);
  assert.equal(enabled({ flags: flags({ ...app, "--recovery": "true" }) }), true);
  assert.equal(enabled({ flags: flags({ "--recovery": "false" }) }), false);
  assert.equal(enabled({ flags: flags(app), env: { LIMPET_RECOVERY: "true" } }), true);
  const text = `app: ${APP}\nrecovery:\n  enabled: true\n`;
  assert.equal(loadFile(t, text).config.recovery.enabled, true);
  const off = loadFile(t, text, { flags: flags({ "--recovery": "false" }) });
  assert.equal(off.config.recovery.enabled, false);
  assert.equal(off.origins.get("recovery.enabled"), "flag --recovery");
});

test("Socket.IO's own option asks for it as well, unless recovery.enabled says otherwise", (t) => {
  const text = `app: ${APP}\nsocketio:\n  connectionStateRecovery: {}\n`;
  assert.equal(loadFile(t, text).config.recovery.enabled, true);
  assert.equal(loadFile(t, text, { env: { LIMPET_RECOVERY: "false" } }).config.recovery.enabled, false);
});

test("a wrong value is refused by name", (t) => {
  assert.deepEqual(
    problemsOf(() => load({ flags: flags({ "--recovery": "on" }) })),
    ['recovery.enabled = "on" (flag --recovery): must be true or false'],
  );
  const text = "socketio:\n  connectionStateRecovery:\n    maxDisconnectionDuration: 0\n    skip: true\n";
  const lines = problemsOf(() => loadFile(t, text)).join("\n");
  assert.match(
    lines,
    /connectionStateRecovery\.maxDisconnectionDuration = 0 \(file limpet\.yaml:3\): must be at least 1/,
  );
  assert.match(lines, /connectionStateRecovery\.skip = true \(file limpet\.yaml:4\): unknown key/);
});

test("between nodes the stream must keep what recovery looks back for", () => {
  const env = { LIMPET_REDIS_URL: "redis://localhost", LIMPET_BUS_RETENTION_MS: "164999" };
  assert.deepEqual(
    problemsOf(() => load({ env })),
    [
      'bus.retentionMs = "164999" (variable LIMPET_BUS_RETENTION_MS): must be at least the 165000 that recovery looks back: maxDisconnectionDuration + pingInterval + pingTimeout',
    ],
  );
  for (const right of [
    { LIMPET_BUS_RETENTION_MS: "165000" },
    { LIMPET_RECOVERY: "false" },
    { LIMPET_REDIS_URL: "null" },
  ])
    load({ env: { ...env, ...right } });
});
