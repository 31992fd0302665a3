/** 200 stock clients in rooms on one of two nodes, 100 messages a second, and what breaks in the middle of it; they come back at the other node, or at the same. */
import { testCases, testLoss } from "./rig/promises.js";

testLoss("two nodes: node SIGKILL");
testCases("faults", 2);
