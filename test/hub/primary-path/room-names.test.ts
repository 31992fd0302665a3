/** Room names by way of the primary. */
import "./choose.js";
import "../room-names.test.js";
