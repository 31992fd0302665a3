/** Answers by way of the primary. */
import "./choose.js";
import "../answers.test.js";
