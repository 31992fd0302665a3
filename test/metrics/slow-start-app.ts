/** An app that takes longer to start in one worker than in the others. */
import { setTimeout as delay } from "node:timers/promises";
import type { App } from "../../src/apps/contract.js";

const app: App = async (_io, limpet) => {
  if (limpet.worker.slot === 1) await delay(1_500);
};

export default app;
