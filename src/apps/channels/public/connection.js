/**
 * The connection to the gateway: one stock Socket.IO client, and what the page shows of it.
 *
 * Events: "change" (the public fields changed), "online" (connected, or connected again), "sample" (a round trip).
 */
const RTT_EVERY_MS = 2000;
const ANSWER_WITHIN_MS = 10_000;

/** The server's refusal, or the lack of an answer (`code` is then "unconfirmed"). */
export class RequestError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.code = code;
  }
}

export class Connection extends EventTarget {
  /** "connecting", "connected", "reconnecting", "closed" (by the server, who means it) */
  state = "connecting";
  /** The transports of the present connection, in the order they were used. */
  transports = [];
  /** The present connection's answer to `whoami`: { id, node, worker, pid, limits }; null until it is there. */
  server = null;
  reconnects = 0;
  /** How often the server still had the session, and all that was missed. */
  recoveries = 0;
  forcedPolling = false;
  socket;

  #usualTransports;
  #measuring = false;

  constructor(io, { path, transports }) {
    super();
    this.#usualTransports = transports;
    this.socket = io({ path, transports: [...transports], reconnectionDelay: 400, reconnectionDelayMax: 3000 });
    const manager = this.socket.io;
    manager.on("open", () => this.#onOpen(manager.engine));
    manager.on("reconnect", () => this.#set({ reconnects: this.reconnects + 1 }));
    this.socket.on("connect", () => this.#onConnect());
    this.socket.on("connect_error", () => {
      if (this.state !== "connecting") this.#set({ state: "reconnecting" });
    });
    this.socket.on("disconnect", (reason) => {
      this.#set({ state: reason === "io server disconnect" ? "closed" : "reconnecting", transports: [], server: null });
    });
    setInterval(() => void this.#measure(), RTT_EVERY_MS);
  }

  get transport() {
    return this.transports.at(-1) ?? "";
  }

  get canForcePolling() {
    return this.#usualTransports.includes("polling") && this.#usualTransports.length > 1;
  }

  /** The answer to an event; throws {@link RequestError}. */
  async request(event, payload) {
    let answer;
    try {
      answer = await this.socket.timeout(ANSWER_WITHIN_MS).emitWithAck(event, payload);
    } catch (error) {
      throw new RequestError("unconfirmed", "no answer", { cause: error });
    }
    if (!answer.ok) throw new RequestError(answer.error.code, answer.error.message);
    return answer;
  }

  /** Cuts the connection as a lost network would: the client comes back by itself. */
  drop() {
    if (this.state === "closed") this.socket.connect();
    else this.socket.io.engine.close();
  }

  /** Takes effect with a new connection, so the present one is dropped. */
  forcePolling(forced) {
    this.socket.io.opts.transports = forced ? ["polling"] : [...this.#usualTransports];
    this.#set({ forcedPolling: forced });
    if (this.socket.connected) this.drop();
  }

  #onOpen(engine) {
    this.#set({ transports: [engine.transport.name] });
    engine.on("upgrade", ({ name }) => this.#set({ transports: [...this.transports, name] }));
  }

  #onConnect() {
    this.#set({ state: "connected", recoveries: this.recoveries + (this.socket.recovered ? 1 : 0) });
    this.dispatchEvent(new Event("online"));
    void this.#measure();
  }

  async #measure() {
    if (!this.socket.connected || this.#measuring) return;
    this.#measuring = true;
    try {
      if (this.server === null) this.#set({ server: await this.request("whoami") });
      const start = performance.now();
      await this.request("rtt");
      this.dispatchEvent(new CustomEvent("sample", { detail: performance.now() - start }));
    } catch (error) {
      // The connection is gone; the next one measures anew.
      if (error.code !== "unconfirmed") throw error;
    } finally {
      this.#measuring = false;
    }
  }

  #set(changes) {
    Object.assign(this, changes);
    this.dispatchEvent(new Event("change"));
  }
}
