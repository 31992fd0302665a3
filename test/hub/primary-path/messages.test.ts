/** Messages by way of the primary. */
import "./choose.js";
import "../messages.test.js";
