/** 200 clients of one of two nodes that were away while 100,000 messages went to rooms of others, come back at the other, and leave that one as well. */
import { testCases } from "./rig/promises.js";

testCases("foreign entries", 2);
