/** Join and publish by way of the primary. */
import "./choose.js";
import "../join-publish.test.js";
