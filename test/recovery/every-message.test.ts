/** Clients in two rooms with two publishers, on two workers and on two nodes, that are cut off again and again, wherever they can be. */
import { testCases } from "./rig/promises.js";

testCases("every message", 1);
testCases("every message", 2);
