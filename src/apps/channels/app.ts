/**
 * The built-in app: rooms to join, to publish text and images to, and to see who is in, with a page to try them on.
 * docs of each event: protocol.ts. It sees only Socket.IO's public API, as any app does.
 */
import type { App } from "../contract.js";
import { Directory } from "./directory.js";
import { pageListener } from "./page.js";
import { LIMITS } from "./protocol.js";
import { Session } from "./session.js";

export const channelsApp: App = (io, limpet) => {
  const { socketio } = limpet.config;
  if (!socketio.serveClient) limpet.log.warn("the demo page needs socketio.serveClient, which is off");
  const context = {
    limpet,
    directory: new Directory(io, limpet.log),
    events: limpet.metrics.counter({
      name: "channels_events_total",
      help: "Events clients sent to the built-in channels app, by event and outcome (ok, or the error's code)",
      labelNames: ["event", "outcome"],
    }),
    // Base64 over polling, and some room for the packet around it.
    maxImageBytes: Math.min(LIMITS.imageBytes, Math.floor(socketio.maxHttpBufferSize * 0.7)),
  };
  io.on("connection", (socket) => {
    new Session(socket, context);
  });
  limpet.http(pageListener(socketio));
};
