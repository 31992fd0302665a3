/** Silent workers by way of the primary. */
import "./choose.js";
import "../silent-workers.test.js";
