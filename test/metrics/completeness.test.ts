import assert from "node:assert/strict";
import test from "node:test";
import { busGroup } from "./bus-scenarios.js";
import { entryGroups } from "./entry-scenarios.js";
import { nodeGroups } from "./node-scenarios.js";
import { recoveryBusGroup } from "./recovery-bus-scenarios.js";
import { recoveryGroups } from "./recovery-scenarios.js";
import { rescueGroup } from "./rescue-scenarios.js";
import { assertCatalogued, unmoved } from "./scenario.js";
import { sessionGroups } from "./session-scenarios.js";

const groups = [
  ...sessionGroups,
  ...nodeGroups,
  ...entryGroups,
  busGroup,
  ...recoveryGroups,
  recoveryBusGroup,
  rescueGroup("redis://127.0.0.1"),
];

/** Series that no scenario moves, each with the reason. */
const EXCUSED = [
  { name: "limpet_build_info", reason: "it is always 1; a scenario reads its labels" },
  {
    name: "limpet_rescues_total",
    labels: { target: "worker", outcome: "loop" },
    reason: "what comes over the Unix socket is answered where it comes to",
  },
  ...["server_close", "client_error", "other"].map((reason) => ({
    name: "limpet_sessions_closed_total",
    labels: { reason },
    reason: "Engine.IO documents it, or may invent it, and never gives it in this version",
  })),
  {
    name: "limpet_handshake_errors_total",
    labels: { code: "other" },
    reason: "Engine.IO has no further code in this version",
  },
];

test("every series of the catalog is moved by a scenario, or excused with a reason", () => {
  assert.deepEqual(unmoved(groups, EXCUSED), []);
});

test("no series is excused that a scenario moves", () => {
  const stillUnmoved = new Set(unmoved(groups, []));
  const needless = EXCUSED.filter(({ name, ...rest }) => {
    const labels = "labels" in rest ? rest.labels : undefined;
    return ![...stillUnmoved].some(
      (series) => series.startsWith(name) && series.endsWith(JSON.stringify(labels ?? {})),
    );
  });
  assert.deepEqual(needless, []);
});

test("scenarios and excuses speak of series that the catalog has", () => {
  assertCatalogued(groups.flatMap(({ scenarios }) => scenarios.flatMap(({ moves }) => moves)));
  assertCatalogued(EXCUSED);
});
