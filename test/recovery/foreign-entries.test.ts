/** 200 clients that were away while 100,000 messages went to rooms of others. */
import { testCases } from "./rig/promises.js";

testCases("foreign entries", 1);
