// Loaded into the nodes' processes: collects their garbage every few seconds, so that the memory that is seen is what they keep.
import { setInterval } from "node:timers";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const EVERY_MS = 10_000;

setFlagsFromString("--expose-gc");
setInterval(runInNewContext("gc"), EVERY_MS).unref();
