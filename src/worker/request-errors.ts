/** Why a request to the other workers has no full answer. Both errors carry what there is. */

/** This worker's own wire is full: nobody was asked. `responses` is what was known here. */
export class UnsentRequestError extends Error {
  readonly responses: readonly unknown[];

  constructor(what: string, responses: readonly unknown[]) {
    super(`${what}: not sent, too much waits for the other workers already`);
    this.name = "UnsentRequestError";
    this.responses = responses;
  }
}

/** A worker that lives gave no answer in time. `responses` is what did arrive. */
export class SilentWorkersError extends Error {
  readonly missing: number;
  readonly responses: readonly unknown[];

  constructor(what: string, missing: number, responses: readonly unknown[]) {
    super(
      `${what}: timeout reached, ${missing} ${missing === 1 ? "worker has" : "workers have"} not answered (${responses.length} responses received)`,
    );
    this.name = "SilentWorkersError";
    this.missing = missing;
    this.responses = responses;
  }
}
