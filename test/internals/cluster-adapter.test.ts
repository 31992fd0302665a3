/** The private parts of socket.io-adapter's ClusterAdapter that limpet leans on, as ./socket-io.test.ts has those of others. */
import assert from "node:assert/strict";
import test from "node:test";
import { Server } from "socket.io";
import { ClusterAdapter, MessageType } from "socket.io-adapter";

type Private = Record<string, unknown>;

test("socket.io-adapter: ClusterAdapter answers requests by onMessage and doPublishResponse", async () => {
  const answers: unknown[] = [];
  class Answering extends ClusterAdapter {
    constructor(nsp: object) {
      super(nsp);
    }
    protected override doPublish(): Promise<string> {
      return Promise.reject(
        new Error("src/worker/adapter.ts relies on ClusterAdapter to publish nothing of its own accord"),
      );
    }
    protected override doPublishResponse(to: string, response: unknown): Promise<void> {
      answers.push([to, response]);
      return Promise.resolve();
    }
    ask(message: object): void {
      this.onMessage(message as Parameters<ClusterAdapter["onMessage"]>[0]);
    }
  }
  const nsp = { name: "/", sockets: new Map(), server: new Server(), _ids: 0 };
  const adapter = new Answering(nsp);
  const opts = { rooms: [], except: [], flags: {} };
  adapter.ask({ uid: "7", nsp: "/", type: MessageType.FETCH_SOCKETS, data: { opts, requestId: "r" } });
  await new Promise((resolve) => setImmediate(resolve));
  const [[to, response] = []] = answers as [string, Private][];
  assert.equal(to, "7", "src/worker/adapter.ts sends the answer to the uid that asked");
  assert.equal(response?.["type"], MessageType.FETCH_SOCKETS_RESPONSE);
  assert.deepEqual(
    response?.["data"],
    { requestId: "r", sockets: [] },
    "src/worker/requests.ts finds a request by its requestId",
  );
});

test("socket.io-adapter: ClusterAdapter takes a broadcast whose options have neither except nor flags", () => {
  class Receiving extends ClusterAdapter {
    constructor(nsp: object) {
      super(nsp);
    }
    protected override doPublish(): Promise<string> {
      return Promise.resolve("");
    }
    protected override doPublishResponse(): Promise<void> {
      return Promise.resolve();
    }
    take(message: object): void {
      this.onMessage(message as Parameters<ClusterAdapter["onMessage"]>[0]);
    }
  }
  const written: unknown[] = [];
  const client = { writeToEngine: (packets: unknown) => written.push(packets) };
  const socket = { id: "a", client, notifyOutgoingListeners: () => undefined };
  const nsp = { name: "/", sockets: new Map([["a", socket]]), server: new Server(), _ids: 0 };
  const adapter = new Receiving(nsp);
  void adapter.addAll("a", new Set(["red"]));
  const packet = { type: 2, data: ["event", 1] };
  adapter.take({ uid: "7", nsp: "/", type: MessageType.BROADCAST, data: { packet, opts: { rooms: ["red"] } } });
  assert.deepEqual(written, [['2["event",1]']], "src/link/payload.ts leaves out options that are empty");
});
