/** Entries that no server writes: each as the fields of an XADD. */
const STOCK = ["uid", "somebody", "nsp", "/"] as const;
const OPTS = { rooms: [], except: [], flags: {} };
const packet = (data: unknown, type: unknown = 2): object => ({ type, data, nsp: "/" });
const broadcast = (data: unknown): string[] => [...STOCK, "type", "3", "data", JSON.stringify(data)];
const deep = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

export interface Poison {
  readonly name: string;
  readonly fields: readonly (string | Buffer)[];
}

const entry = (name: string, ...fields: (string | Buffer)[]): Poison => ({ name, fields });

/** What the stock adapter does not survive. */
export const WITHOUT_DATA = entry("a broadcast without data", ...STOCK, "type", "3");

/** In the stock format. */
const inStockFormat: readonly Poison[] = [
  WITHOUT_DATA,
  entry("fields of others", "a", "b", "c", "d"),
  entry("no uid", "nsp", "/", "type", "3", "data", "{}"),
  entry("no type", ...STOCK, "data", JSON.stringify({ packet: packet(["x"]), opts: OPTS })),
  entry("a type that is no number", ...STOCK, "type", "broadcast", "data", "{}"),
  entry("a type that is unknown", ...STOCK, "type", "99", "data", "{}"),
  entry("a type below zero", ...STOCK, "type", "-1", "data", "{}"),
  entry("an empty namespace", "uid", "somebody", "nsp", "", "type", "3", "data", "{}"),
  entry("a namespace that nobody has", "uid", "somebody", "nsp", "/nobody", "type", "3", "data", "{}"),
  entry("data that is neither JSON nor MessagePack", ...STOCK, "type", "3", "data", "garbage"),
  entry("data that are no text", ...STOCK, "type", "3", "data", Buffer.from([0xff, 0xfe, 0x00, 0x80])),
  entry("empty data", ...STOCK, "type", "3", "data", ""),
  entry("half of a JSON text", ...STOCK, "type", "3", "data", '{"opts":{"rooms":['),
  entry("20 MB of garbage", ...STOCK, "type", "3", "data", "x".repeat(20_000_000)),
  entry("no options", ...broadcast({ packet: packet(["x"]) })),
  entry("options that are null", ...broadcast({ packet: packet(["x"]), opts: null })),
  entry("rooms that are no list", ...broadcast({ packet: packet(["x"]), opts: { ...OPTS, rooms: "room" } })),
  entry("rooms that are no text", ...broadcast({ packet: packet(["x"]), opts: { ...OPTS, rooms: [null, {}, 1] } })),
  entry("no rooms to spare", ...broadcast({ packet: packet(["x"]), opts: { rooms: [], flags: {} } })),
  entry("no flags", ...broadcast({ packet: packet(["x"]), opts: { rooms: [], except: [] } })),
  entry("no packet", ...broadcast({ opts: OPTS })),
  entry("a packet that is null", ...broadcast({ packet: null, opts: OPTS })),
  entry("a packet without data", ...broadcast({ packet: { type: 2, nsp: "/" }, opts: OPTS })),
  entry("a packet whose data are no list", ...broadcast({ packet: packet({ length: 1e9 }), opts: OPTS })),
  entry("an event without a name", ...broadcast({ packet: packet([]), opts: OPTS })),
  entry("a packet of an unknown type", ...broadcast({ packet: packet(["x"], 99), opts: OPTS })),
  entry("a packet whose type is text", ...broadcast({ packet: packet(["x"], "2"), opts: OPTS })),
  entry(
    "arguments 100,000 lists deep",
    ...[...STOCK, "type", "3", "data"],
    `{"packet":{"type":2,"nsp":"/","data":["x",${deep(100_000)}]},"opts":${JSON.stringify(OPTS)}}`,
  ),
  entry("a join without rooms", ...STOCK, "type", "4", "data", JSON.stringify({ opts: OPTS })),
  entry("a join of what is no room", ...STOCK, "type", "4", "data", JSON.stringify({ opts: OPTS, rooms: 7 })),
  entry("a leave without options", ...STOCK, "type", "5", "data", JSON.stringify({ rooms: ["x"] })),
  entry("a disconnection without options", ...STOCK, "type", "6", "data", "{}"),
  entry("a request in the stream", ...STOCK, "type", "7", "data", JSON.stringify({ opts: OPTS, requestId: "1" })),
  entry("an answer in the stream", ...STOCK, "type", "8", "data", JSON.stringify({ requestId: "1", sockets: null })),
  entry("word to servers without data", ...STOCK, "type", "9"),
  entry("word to servers without a packet", ...STOCK, "type", "9", "data", "{}"),
  entry("word to servers whose packet is empty", ...STOCK, "type", "9", "data", '{"packet":[]}'),
];

const PLAIN = JSON.stringify({ packet: packet(["x"]), opts: OPTS });
const headed = (name: string, header: string, data: string = PLAIN, type = "3"): Poison =>
  entry(name, "uid", `headed ${name}`, "nsp", "/", "type", type, "data", data, "l", header);

/** With limpet's own field. */
const inOwnFormat: readonly Poison[] = [
  headed("a header that is no JSON", "garbage"),
  headed("a header that is null", "null"),
  headed("a header that is a list", "[]"),
  headed("a header without a number", "{}"),
  headed("a header whose number is text", '{"n":"1"}'),
  headed("rooms that are no list", '{"n":1,"r":"room"}'),
  headed("rooms that are no text", '{"n":1,"r":[null,{},1]}'),
  headed("joined rooms that are no text", '{"n":1,"j":[null,{},1]}'),
  headed("arguments longer than the data", '{"n":1,"e":[1000000,[],{}]}'),
  headed("arguments of a length below zero", '{"n":1,"e":[-5,[],{}]}'),
  headed("arguments elsewhere in the data", '{"n":1,"e":[3,[],{}]}'),
  headed("an event without flags", '{"n":1,"e":[5,[]]}'),
  headed("an event whose spared rooms are no text", '{"n":1,"e":[5,[null,{}],{}]}'),
  headed("an event whose data are none", '{"n":1,"e":[5,[],{}]}', "garbage"),
  headed("an event whose data are half", '{"n":1}', PLAIN.slice(0, 20)),
  headed("a request without data", '{"n":1,"q":["id","/",1000]}', "", "7"),
  headed("a request with garbage", '{"n":1,"q":["id","/",1000]}', "garbage", "7"),
  headed("a request of half a JSON text", '{"n":1,"q":["id","/",1000]}', '{"opts":', "7"),
  headed("a request without options", '{"n":1,"q":["id","/",1000]}', "{}", "7"),
  headed("a request whose time is text", '{"n":1,"q":["id","/","soon"]}', JSON.stringify({ opts: OPTS }), "7"),
  headed("a request whose id is none", '{"n":1,"q":[null,"/",1000]}', JSON.stringify({ opts: OPTS }), "7"),
  headed("a request of an unknown type", '{"n":1,"q":["id","/",1000]}', JSON.stringify({ opts: OPTS }), "99"),
];

export const poisons: readonly Poison[] = [...inStockFormat, ...inOwnFormat];
