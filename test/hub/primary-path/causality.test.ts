/** Causality by way of the primary. */
import "./choose.js";
import "../causality.test.js";
