/** The folder of a node's Unix sockets: nobody but its owner may enter it. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { StartError } from "./supervisor.js";

/** What the systems' sockaddr_un leaves for a path: 107 bytes on Linux, 103 on macOS. */
const MAX_PATH_BYTES = 103;
/** The longest name in the folder. */
const LONGEST_NAME = "w9999999.sock";

/** @throws StartError where the temporary folder's path is too long; an address that is cut would read as one in use */
export function createSocketDir(): string {
  const prefix = path.join(tmpdir(), "limpet-");
  if (Buffer.byteLength(`${prefix}XXXXXX/${LONGEST_NAME}`) > MAX_PATH_BYTES)
    throw new StartError(`the temporary folder's path is too long for Unix sockets (TMPDIR is ${tmpdir()})`, undefined);
  return mkdtempSync(prefix);
}
