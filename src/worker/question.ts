/** A question to other workers that waits for all their answers. */
import type { Publish } from "../link/messages.js";
import type { HubPort } from "./hub-port.js";
import { SilentWorkersError, UnsentRequestError } from "./request-errors.js";

export interface Question {
  /** The call's name, for the error. */
  readonly what: string;
  readonly message: Omit<Publish, "t" | "bin" | "req" | "timeoutMs">;
  readonly data: object;
  readonly timeoutMs: number;
  readonly responses: readonly unknown[];
  readonly onReply: (data: unknown) => void;
}

/**
 * Asks other workers, and resolves when each has answered or has ended.
 * @param responses what has arrived so far: the error carries it
 */
export function ask(port: HubPort, { what, message, data, timeoutMs, responses, onReply }: Question): Promise<void> {
  return new Promise((resolve, reject) => {
    const id = port.request({
      onReply: (_wid, _type, reply) => {
        onReply(reply);
        return true;
      },
      onComplete: () => {
        clearTimeout(timer);
        resolve();
      },
    });
    const timer = setTimeout(() => reject(new SilentWorkersError(what, port.abandon(id), responses)), timeoutMs);
    let sent: boolean;
    try {
      sent = port.publish({ ...message, req: id, timeoutMs }, { ...data, requestId: id });
    } catch (error) {
      clearTimeout(timer);
      port.abandon(id);
      throw error;
    }
    if (sent) return;
    clearTimeout(timer);
    port.abandon(id);
    reject(new UnsentRequestError(what, responses));
  });
}
