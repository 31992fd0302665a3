/** Causality between nodes that send what their workers say by way of the primary. */
import "../../hub/primary-path/choose.js";
import "../causality.test.js";
