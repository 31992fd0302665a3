/** Interest by way of the primary. */
import "./choose.js";
import "../interest.test.js";
