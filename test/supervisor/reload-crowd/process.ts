/** A process of clients, half of them by polling, half by WebSocket. Started by crowd.ts. */
import { Client } from "./client.js";
import type { CrowdCommand, CrowdEvent, CrowdOptions } from "./messages.js";

const STATUS_MS = 100;
const TICK_MS = 20;
/** At the start so many are on their way in at once. */
const AT_ONCE = 20;

const { port, count } = JSON.parse(process.argv[2] ?? "") as CrowdOptions;
const now = (): number => performance.timeOrigin + performance.now();
const tell = (event: CrowdEvent): void => void process.send?.(event);

const clients: Client[] = [];
function grow(): void {
  if (clients.length === count) return;
  let isIn = false;
  const onConnected = (): void => {
    if (!isIn) grow();
    isIn = true;
  };
  clients.push(new Client(clients.length % 2 === 0 ? "polling" : "websocket", port, now, onConnected));
}
for (let i = 0; i < AT_ONCE; i++) grow();

setInterval(() => {
  const connected = clients.filter((client) => client.connected).length;
  tell({ is: "status", status: { connected, drops: clients.reduce((sum, { drops }) => sum + drops, 0) } });
}, STATUS_MS);

let maxLateMs = 0;
let tickedAtMs = performance.now();
setInterval(() => {
  const lateMs = performance.now() - tickedAtMs - TICK_MS;
  if (clients.length === count) maxLateMs = Math.max(maxLateMs, lateMs);
  tickedAtMs = performance.now();
}, TICK_MS);

process.on("message", ({ do: what }: CrowdCommand) => {
  if (what === "report")
    tell({ is: "report", report: { clients: clients.map((client) => client.report()), maxLateMs } });
});
process.on("disconnect", () => process.exit());
