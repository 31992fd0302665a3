/** Clients in two rooms with two publishers, on two workers, that are cut off again and again, wherever they can be. */
import { testCases } from "./rig/promises.js";

testCases("every message", 1);
