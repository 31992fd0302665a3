/** 200 stock clients in rooms on a node without Redis, 100 messages a second, and what breaks in the middle of it. */
import { testCases, testLoss } from "./rig/promises.js";

testLoss("one node: transport cut");
testCases("faults", 1);
