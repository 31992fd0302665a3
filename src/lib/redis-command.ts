/**
 * Commands of ioredis that leave nothing behind. The function that each of its own gives to `new Promise` holds the command, and V8's collections of young objects then
 * find every command and reply reachable from the one before: all of them live until the next full collection, which is due every few seconds because of that
 * (ioredis 6.0.0 on Node 20 to 26; test/internals/ioredis.test.ts).
 */
import { Command, type Cluster, type Redis } from "ioredis";

export type RedisArgument = string | number | Buffer;

/** What is private of a command. */
interface CommandInternals {
  isResolved: boolean;
  isSettled: boolean;
  transformed: boolean;
  promise: Promise<unknown>;
  resolve: (reply: unknown) => unknown;
  reject: (error: Error) => void;
  stringifyArguments(): void;
  _convertValue(resolve: (reply: unknown) => void): (reply: unknown) => unknown;
  _clearTimers(): void;
}

class PlainCommand extends Command {}

/** As ioredis does it, for commands without a callback whose arguments are plain already. */
function initPromise(this: CommandInternals): void {
  this.isResolved = this.isSettled = false;
  this.transformed = true;
  this.stringifyArguments();
  const { promise, resolve, reject } = withResolvers();
  this.promise = promise;
  this.resolve = this._convertValue(resolve);
  this.reject = rejecting(this, reject);
}

Object.defineProperty(PlainCommand.prototype, "initPromise", { value: initPromise });

/** Apart from the command: the function that is given to `new Promise` knows of nothing else here. */
function withResolvers(): Pick<CommandInternals, "promise"> & {
  resolve: (reply: unknown) => void;
  reject: (error: Error) => void;
} {
  let resolve: (reply: unknown) => void = unset;
  let reject: (error: Error) => void = unset;
  const promise = new Promise<unknown>((onReply, onError) => {
    resolve = onReply;
    reject = onError;
  });
  return { promise, resolve, reject };
}

const unset = (): void => undefined;

const rejecting =
  (command: CommandInternals, reject: (error: Error) => void) =>
  (error: Error): void => {
    command._clearTimers();
    command.isSettled = true;
    reject(error);
  };

/** @param encoding of the reply; null: as Buffers */
export const send = (
  client: Redis | Cluster,
  name: string,
  args: readonly RedisArgument[],
  encoding: "utf8" | null,
): Promise<unknown> =>
  client.sendCommand(new PlainCommand(name, [...args], { replyEncoding: encoding })) as Promise<unknown>;
