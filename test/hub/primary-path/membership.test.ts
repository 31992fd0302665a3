/** Membership by way of the primary. */
import "./choose.js";
import "../membership.test.js";
