/** An app that ends its worker soon after each start, from the moment in which the file named by ENDING_FILE exists. */
import { existsSync } from "node:fs";
import type { App } from "../../src/apps/contract.js";

const app: App = (_io, limpet) => {
  if (limpet.worker.slot !== 0) return;
  setInterval(() => {
    if (existsSync(process.env["ENDING_FILE"] ?? "")) process.exit(3);
  }, 10);
};

export default app;
