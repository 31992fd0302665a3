/** What every stock client must do, whatever its language, by each transport. */
export const CHECKS = [
  "connects",
  "binary both ways",
  "acknowledgements both ways",
  "timeouts of acknowledgements both ways",
  "rooms across the workers",
  "namespaces",
  "comes back when its connection is cut",
] as const;

/** `default` begins with polling and upgrades. */
export const TRANSPORTS = ["polling", "websocket", "default"] as const;

export type TransportName = (typeof TRANSPORTS)[number];
