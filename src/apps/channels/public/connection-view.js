/** The header's state and the connection card. */
import { byId, element } from "./dom.js";
import { formatMs, Sparkline } from "./sparkline.js";

const STATES = {
  connecting: "Connecting",
  connected: "Connected",
  reconnecting: "Reconnecting",
  closed: "Closed by the server",
};
const NAMES = { websocket: "WebSocket", polling: "Polling" };

export function showConnection(connection) {
  const sparkline = new Sparkline(byId("spark"), byId("rtt-range"));
  let rtt = null;

  const render = () => {
    const { state, server, transports, transport, reconnects, recoveries, forcedPolling } = connection;
    const pill = byId("state");
    // A live region speaks at each write, so only changes are written.
    if (pill.dataset.state !== state) {
      pill.dataset.state = state;
      pill.textContent = STATES[state];
    }
    renderTransport(transports, transport);
    renderServer(server);
    byId("reconnects").textContent = String(reconnects);
    byId("recoveries").textContent = String(recoveries);
    const drop = byId("drop");
    drop.disabled = state !== "connected" && state !== "closed";
    drop.textContent = state === "closed" ? "Connect again" : "Drop connection";
    const force = byId("force-polling");
    force.hidden = !connection.canForcePolling;
    force.setAttribute("aria-pressed", String(forcedPolling));
    byId("facts").textContent = [
      NAMES[transport] ?? "No transport",
      ...(server === null ? [] : [`worker ${server.worker}`]),
      ...(rtt === null ? [] : [`${formatMs(rtt)} ms`]),
    ].join(" · ");
  };

  connection.addEventListener("change", render);
  connection.addEventListener("sample", ({ detail }) => {
    rtt = detail;
    byId("rtt").textContent = formatMs(detail);
    sparkline.add(detail);
    render();
  });
  byId("drop").addEventListener("click", () => connection.drop());
  byId("force-polling").addEventListener("click", () => connection.forcePolling(!connection.forcedPolling));
  render();
}

function renderServer(server) {
  const view = byId("worker");
  if (view.dataset.id === (server?.id ?? "")) return;
  view.dataset.id = server?.id ?? "";
  view.dataset.worker = server?.worker ?? "";
  view.dataset.pid = server?.pid ?? "";
  // The second line stays when it is empty, so the card does not jump at each reconnect.
  const detail = server === null ? "\u00a0" : `node ${server.node}, process ${server.pid}`;
  view.replaceChildren(server === null ? "–" : `Worker ${server.worker}`, element("small", { text: detail }));
}

function renderTransport(transports, transport) {
  const view = byId("transport");
  const path = transports.join(" ");
  if (view.dataset.path === path) return;
  view.dataset.path = path;
  view.dataset.transport = transport;
  view.replaceChildren(
    ...transports
      .slice(0, -1)
      .map((past) => element("span", { class: "step-past", text: `${NAMES[past] ?? past} → ` })),
    NAMES[transport] ?? (transport || "–"),
  );
}
