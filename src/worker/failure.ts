/** How a worker ends that cannot go on, and what the primary is told of one that could not start. */
import type { Logger } from "pino";
import type { BootFailure } from "../link/messages.js";
import { AppError } from "./app-loader.js";
import { TooManyRoomsError } from "./room-bound.js";

/** An error that nobody caught leaves the app in a state nobody knows: the process ends and is replaced. */
export function exitOnUncaught(log: Logger): void {
  process.on("uncaughtException", (error, origin) => {
    // A handler that awaited a join which was refused has ended there. Clients can bring that about, and it has been counted.
    if (error instanceof TooManyRoomsError && origin === "unhandledRejection") return;
    log.fatal({ err: error, origin }, "uncaught error: the worker ends");
    process.exit(1);
  });
}

/** @returns once the primary has it */
export async function reportFailure(error: unknown): Promise<void> {
  const failure: BootFailure = {
    type: "limpet:boot-failed",
    message: error instanceof Error ? error.message : String(error),
    where: error instanceof AppError ? error.where : undefined,
    stack: error instanceof Error ? stackOf(error) : undefined,
  };
  await new Promise<void>((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(failure, undefined, undefined, () => resolve());
  });
}

/** With the stack of the error beneath, which is the app's own. */
function stackOf(error: Error): string | undefined {
  return error.cause instanceof Error ? error.cause.stack : error.stack;
}
