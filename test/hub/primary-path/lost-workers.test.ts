/** Lost workers by way of the primary. */
import "./choose.js";
import "../lost-workers.test.js";
