/** Follows every HTTP request that this process makes, WebSocket handshakes among them, from its start to its end. */
import diagnostics from "node:diagnostics_channel";
import type { ClientRequest, IncomingMessage } from "node:http";
import type { FailedRequest, RequestReport } from "./swarm-messages.js";

export class RequestLog {
  readonly #now: () => number;
  readonly #open = new Map<ClientRequest, number>();
  readonly #failed: FailedRequest[] = [];
  #started = 0;
  #answered = 0;
  #longestMs = 0;
  #spokenFromMs = 0;

  constructor(now: () => number) {
    this.#now = now;
    diagnostics.subscribe("http.client.request.start", (message) => {
      this.#follow((message as { request: ClientRequest }).request);
    });
  }

  /** From now on clients hear something every few seconds: a poll of before was open for as long as nobody spoke. */
  spoken(): void {
    this.#spokenFromMs = this.#now();
  }

  report(): RequestReport {
    const now = this.#now();
    return {
      started: this.#started,
      answered: this.#answered,
      failed: this.#failed,
      open: [...this.#open].map(([{ method, path }, startedMs]) => ({
        method,
        sid: sidIn(path),
        forMs: Math.round(now - startedMs),
      })),
      longestMs: Math.round(this.#longestMs),
    };
  }

  #follow(request: ClientRequest): void {
    const startedMs = this.#now();
    let response: IncomingMessage | undefined;
    this.#started++;
    this.#open.set(request, startedMs);
    const end = (status: number | undefined): void => {
      if (!this.#open.delete(request)) return;
      const endedMs = this.#now();
      this.#longestMs = Math.max(this.#longestMs, endedMs - Math.max(startedMs, this.#spokenFromMs));
      if (status === 200 || status === 101) this.#answered++;
      else this.#failed.push({ sid: sidIn(request.path), startedMs, endedMs, status });
    };
    request.once("response", (incoming: IncomingMessage) => (response = incoming));
    request.once("upgrade", () => end(101));
    request.once("close", () => end(response?.complete === true ? response.statusCode : undefined));
  }
}

function sidIn(path: string): string | undefined {
  return new URL(path, "http://localhost").searchParams.get("sid") ?? undefined;
}
