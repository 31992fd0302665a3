/** Causality by way of the primary. */
import "./choose.js";
import "../causality.serial.test.js";
