/** A client over HTTP long-polling on two connections that it keeps, as browsers do: one for polls, one for POSTs. */
import { connect, type Socket } from "node:net";
import { within } from "../../../test/support/wait.js";

const DEADLINE_MS = 60_000;
const ATTEMPTS = 20;
const HEAD_END = "\r\n\r\n";
const TEXT = "héllo ✓ wörld 🐚";

/** An answer other than 200. */
class Refusal extends Error {}

/** One request at a time, on a connection that is kept until the server says that it ends. */
class KeptConnection {
  readonly #port: number;
  #socket: Socket | undefined;
  #received = "";
  #resolve: (body: string) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** @throws Refusal where the answer is not 200 */
  request(target: string, body?: string): Promise<string> {
    const answered = new Promise<string>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const head =
      body === undefined
        ? `GET ${target} HTTP/1.1\r\nHost: localhost`
        : `POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: ${Buffer.byteLength(body)}`;
    this.#socket ??= this.#connect();
    this.#socket.write(`${head}${HEAD_END}${body ?? ""}`);
    return within(answered, DEADLINE_MS, `the answer to ${target}`);
  }

  close(): void {
    this.#socket?.resetAndDestroy();
    this.#socket = undefined;
  }

  #connect(): Socket {
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    this.#received = "";
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => this.#read(chunk));
    socket.on("error", (error) => this.#reject(error));
    socket.on("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#reject(new Error("the connection was closed before the answer"));
    });
    return socket;
  }

  /** Engine.IO says how long each answer is. */
  #read(chunk: string): void {
    this.#received += chunk;
    const headEnd = this.#received.indexOf(HEAD_END);
    if (headEnd === -1) return;
    const head = this.#received.slice(0, headEnd);
    const bodyAt = headEnd + HEAD_END.length;
    const bytes = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? NaN);
    if (this.#received.length < bodyAt + bytes) return;
    const body = Buffer.from(this.#received.slice(bodyAt, bodyAt + bytes), "latin1").toString();
    this.#received = this.#received.slice(bodyAt + bytes);
    if (/^connection: *close/im.test(head)) this.close();
    if (head.startsWith("HTTP/1.1 200")) this.#resolve(body);
    else this.#reject(new Refusal(`answered ${head.split("\r\n", 1)[0]}: ${body.slice(0, 200)}`));
  }
}

export class PollingClient {
  readonly #polls: KeptConnection;
  readonly #posts: KeptConnection;
  readonly #target: string;
  #n = 0;

  private constructor(polls: KeptConnection, posts: KeptConnection, target: string) {
    this.#polls = polls;
    this.#posts = posts;
    this.#target = target;
  }

  /**
   * Where a request is refused it starts anew, as stock clients do: the recipe's primary may not know the session yet when its first POST comes.
   *
   * @returns once it is in the main namespace
   */
  static async open(port: number): Promise<PollingClient> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await PollingClient.#tryToOpen(port);
      } catch (error) {
        if (attempt === ATTEMPTS || !(error instanceof Refusal)) throw error;
      }
    }
  }

  static async #tryToOpen(port: number): Promise<PollingClient> {
    const [polls, posts] = [new KeptConnection(port), new KeptConnection(port)];
    const target = "/socket.io/?EIO=4&transport=polling";
    const { sid } = JSON.parse((await polls.request(target)).slice(1)) as { sid: string };
    const client = new PollingClient(polls, posts, `${target}&sid=${sid}`);
    await posts.request(client.#target, "40");
    await polls.request(client.#target);
    return client;
  }

  /** An event that the server acknowledges with what it got: a POST, and polls until the ack is there. */
  async echo(): Promise<void> {
    const n = this.#n++;
    await this.#posts.request(this.#target, `42${n}${JSON.stringify(["echo", TEXT])}`);
    for (;;) {
      const packets = (await this.#polls.request(this.#target)).split("\u001e");
      if (packets.includes("2")) await this.#posts.request(this.#target, "3");
      const ack = packets.find((packet) => packet.startsWith(`43${n}[`));
      if (ack === undefined) continue;
      if (!ack.includes(TEXT)) throw new Error(`the echo came back as ${ack}`);
      return;
    }
  }

  close(): void {
    this.#polls.close();
    this.#posts.close();
  }
}
