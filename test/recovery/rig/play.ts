/** Plays a case on a side: traffic, the fault in the middle of it, traffic again, and the verdict. */
import type { Scope } from "../../support/children.js";
import { waitFor } from "../../support/wait.js";
import { CASE_ENV, type Case } from "./cases.js";
import type { Side } from "./sides.js";
import { setStage } from "./stage.js";
import { judge, type Verdict } from "./verdict.js";

export interface PlayOptions {
  /** Of the case's clients; all unless told. */
  readonly share?: number;
  readonly noise: boolean;
}

/** So much everybody hears before the fault, and after it: 20 messages are the traffic of 2 s at 100/s in 20 rooms. */
const HEARD = 20;
const SETTLE_MS = 8_000;
const SETTLE_STEP_MS = 500;

export async function play(
  scope: Scope,
  side: Side,
  { strike, perSecond, ...stageOf }: Case,
  { share = 1, noise }: PlayOptions,
): Promise<Verdict> {
  const clients = Math.ceil(stageOf.clients * share);
  const stage = await setStage(scope, side, { ...stageOf, clients, noise, env: CASE_ENV });
  const { crowd, publishers } = stage;
  for (const publisher of publishers) publisher.start(perSecond / publishers.length);
  await crowd.hears(HEARD);
  await strike(stage);
  await crowd.hears(HEARD);
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  const unicasts = stage.unicasts(Date.now());

  let verdict: Verdict | undefined;
  const endMs = performance.now() + SETTLE_MS;
  await waitFor(
    async () => {
      verdict = judge((await crowd.report()).clients, publishers, unicasts);
      return verdict.messages.missed + verdict.unicasts.missed === 0 || performance.now() > endMs;
    },
    { timeoutMs: 2 * SETTLE_MS + 20_000, intervalMs: SETTLE_STEP_MS },
  );
  return verdict as unknown as Verdict;
}
