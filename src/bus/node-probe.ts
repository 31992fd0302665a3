/** Asks who is at an address: a worker of the node there answers with its node's uid. */
import { request } from "node:http";

/** Answered with 200 and `{"uid": …, "id": …}`. */
export const NODE_PATH = "/.limpet/node";

const MAX_ANSWER_BYTES = 4096;

/**
 * Never rejects: a refused connection, silence and an answer of something else all mean that there is no node to be found.
 *
 * @param address HOST:PORT
 * @param timeoutMs for the whole answer
 */
export function probeNode(address: string, timeoutMs = 1000): Promise<string | undefined> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const nobody = (): void => resolve(undefined);
    const url = `http://${address}${NODE_PATH}`;
    if (!URL.canParse(url)) return nobody();
    const asked = request(url, { agent: false, signal }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > MAX_ANSWER_BYTES) asked.destroy();
      });
      answer.on("end", () => resolve(answer.statusCode === 200 ? uidOf(text) : undefined));
      answer.on("error", nobody);
      answer.on("close", nobody);
    });
    asked.on("error", nobody);
    asked.end();
  });
}

function uidOf(text: string): string | undefined {
  try {
    const answer = JSON.parse(text) as { readonly uid?: unknown } | null;
    return typeof answer?.uid === "string" ? answer.uid : undefined;
  } catch {
    return undefined;
  }
}
