/** Has the nodes of the tests that are imported after this send what workers say to each other by way of the primary. */
process.env["TEST_HUB_PATH"] = "primary";
