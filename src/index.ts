/** The package's entry for app authors: types only. Run a gateway with the `limpet` command. */
export type { App, AppMetrics, HttpListener, Limpet } from "./apps/contract.js";
export type { Config } from "./config/config.js";
