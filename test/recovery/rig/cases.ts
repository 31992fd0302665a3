/** The faults, one by one: what breaks, and until when everybody has to be back. */
import { waitFor } from "../../support/wait.js";
import type { Stage, StageOptions } from "./stage.js";

export interface Case extends Pick<StageOptions, "nodes" | "workers" | "publishers" | "apart"> {
  readonly name: string;
  /** 200, or as many more as it takes to strike that many. */
  readonly clients: number;
  /** Each client is in two of twice so many rooms. */
  readonly spread: number;
  /** Of both publishers together. */
  readonly perSecond: number;
  readonly reconnectionDelayMs?: number;
  readonly group: "faults" | "foreign entries" | "every message";
  /** How many events to single clients may be lost, of those that were struck: of each client, at the most. */
  readonly unicastsLost: number;
  /** Whether the documented recipe has such a thing at all. */
  readonly inStock: boolean;
  /** @returns once all that were struck are back */
  readonly strike: (stage: Stage) => Promise<void>;
}

export const FLOOD = 100_000;
/** Messages that each client hears between two faults. */
const SOME = 10;
const DRAIN_PER_SECOND = 50;
export const CASE_ENV = { LIMPET_DRAIN_PER_SECOND: String(DRAIN_PER_SECOND) };

/** 20 rooms of 20 members. */
const rooms = {
  ...{ group: "faults" as Case["group"], clients: 200, spread: 10, perSecond: 100, unicastsLost: 0, inStock: true },
} as const;
const oneNode = { ...rooms, nodes: 1, workers: 3, publishers: [0, 0], apart: true } as const;
const twoNodes = { ...rooms, nodes: 2, workers: 2, publishers: [0, 1], apart: true } as const;
/** Where nobody on the first node survives. */
const survivedBySecond = { ...twoNodes, publishers: [1, 1] } as const;

/** It lasts until the last of them has noticed: who polls may have no connection to lose. */
const cut = async ({ road, crowd }: Stage): Promise<void> => {
  road.close();
  await crowd.struck();
  road.open();
  await crowd.back();
};

/** The servers find out later that nobody is behind the old connections; what these still held comes when all are back. */
const halfOpen = async ({ road, crowd }: Stage): Promise<void> => {
  road.stall();
  crowd.giveUp();
  await crowd.back();
  road.resume();
};

const flooded = async ({ road, crowd, flood }: Stage): Promise<void> => {
  road.close();
  await flood(FLOOD);
  await crowd.struck();
  road.open();
  await crowd.back();
};

/** To the second node after a cut, and back to the first from connections that the second believes in. */
const floodedToAndFro = async (stage: Stage): Promise<void> => {
  const { sites, road, crowd, flood } = stage;
  road.leadTo(sites[1]);
  await flooded(stage);
  await crowd.hears(SOME);
  road.leadTo(sites[0]);
  road.stall();
  await flood(FLOOD / 2);
  const disconnects = crowd.status.disconnects + crowd.count;
  crowd.giveUp();
  await crowd.back({ disconnects });
  road.resume();
};

/** One after another, so that some are struck twice. */
const killWorkers = async ({ crowd, victims }: Stage): Promise<void> => {
  for (const pid of victims()) {
    const disconnects = crowd.status.disconnects + crowd.servedBy(pid);
    process.kill(pid, "SIGKILL");
    await crowd.back({ disconnects });
  }
};

const killWorkersAtOnce = async ({ crowd, victims }: Stage): Promise<void> => {
  for (const pid of victims()) process.kill(pid, "SIGKILL");
  await crowd.back();
};

const killNode = async ({ sites, road, crowd }: Stage): Promise<void> => {
  road.leadTo(sites[1]);
  await sites[0]?.kill();
  await crowd.back();
};

const stopNode = async ({ sites, road, crowd }: Stage): Promise<void> => {
  road.leadTo(sites[1]);
  process.kill(sites[0]?.pid ?? NaN, "SIGTERM");
  await crowd.back();
};

const reload = async ({ sites, crowd }: Stage): Promise<void> => {
  const node = sites[0]?.node;
  node?.signal("SIGHUP");
  await node?.waitForLog(({ msg }) => msg === "reload: done", 60_000);
  await crowd.back();
};

/** Some clients, all in the same two rooms, who come back as soon as they can. */
const cutOften = {
  group: "every message",
  clients: 12,
  spread: 1,
  perSecond: 20,
  reconnectionDelayMs: 20,
  inStock: false,
} as const;
const CUTS = 300;

const breakAtEveryMessage = async ({ sites, road, crowd }: Stage): Promise<void> => {
  road.leadToAll(sites);
  crowd.breakAtEveryMessage(true);
  await crowd.loses(CUTS);
  crowd.breakAtEveryMessage(false);
  await crowd.back();
};

/** Wherever a message, a frame, the answer to a handshake can be cut. */
const slice = async ({ sites, road, slicer, crowd }: Stage): Promise<void> => {
  road.leadToAll(sites);
  slicer.begin();
  // A client that polls has a connection for each answer, and most are too short to be cut.
  const isDone = (): boolean => slicer.cuts >= CUTS && crowd.status.struck === crowd.count;
  const message = (): string => `cuts of everybody; there were ${slicer.cuts}, of ${crowd.status.struck} clients`;
  await waitFor(isDone, { timeoutMs: 90_000, message });
  slicer.end();
  await crowd.back();
};

const amongOthers = { group: "foreign entries" } as const;

/** What a process had sent in its last turn may die with it. */
const lastTurn = { unicastsLost: 1 } as const;
/** What a node has sent to single clients is nowhere else. */
const lastMoments = { unicastsLost: 4 } as const;

/** Before it strikes, the road leads to the other node. */
const elsewhere =
  (strike: Case["strike"]): Case["strike"] =>
  async (stage) => {
    stage.road.leadTo(stage.sites[1]);
    await strike(stage);
  };

export const CASES: readonly Case[] = [
  { ...oneNode, name: "one node: transport cut", strike: cut },
  { ...oneNode, name: "one node: half-open", strike: halfOpen },
  {
    ...oneNode,
    name: "one node: 2 of 3 workers SIGKILL",
    ...lastTurn,
    apart: false,
    clients: 315,
    strike: killWorkers,
  },
  { ...oneNode, name: "one node: SIGHUP reload", inStock: false, strike: reload },
  { ...oneNode, name: "one node: cut, 100,000 entries for other rooms", ...amongOthers, strike: flooded },
  { ...oneNode, ...cutOften, name: "one node: cut in every message's handler", strike: breakAtEveryMessage },
  { ...oneNode, ...cutOften, name: "one node: cut anywhere in the bytes", strike: slice },
  { ...twoNodes, name: "two nodes: transport cut, back at the other", strike: elsewhere(cut) },
  { ...twoNodes, name: "two nodes: half-open, back at the other", strike: elsewhere(halfOpen) },
  { ...survivedBySecond, name: "two nodes: all workers of one SIGKILL", ...lastTurn, strike: killWorkersAtOnce },
  { ...survivedBySecond, name: "two nodes: node SIGKILL", ...lastMoments, strike: killNode },
  { ...survivedBySecond, name: "two nodes: node SIGTERM", strike: stopNode },
  { ...survivedBySecond, name: "two nodes: SIGHUP reload of one", inStock: false, strike: reload },
  {
    ...twoNodes,
    name: "two nodes: cut, 100,000 entries for other rooms, and back half-open, 50,000 more",
    ...amongOthers,
    inStock: false,
    strike: floodedToAndFro,
  },
  { ...twoNodes, ...cutOften, name: "two nodes: cut in every message's handler", strike: breakAtEveryMessage },
  { ...twoNodes, ...cutOften, name: "two nodes: cut anywhere in the bytes", strike: slice },
];
