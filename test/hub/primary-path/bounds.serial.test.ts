/** Bounds by way of the primary. */
import "./choose.js";
import "../bounds.serial.test.js";
