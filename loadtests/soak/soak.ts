/** One run of the soak, from the start of the fleet to the verdict. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { waitFor, within } from "../../test/support/wait.js";
import { startBalancer } from "./balancer.js";
import { Crowd } from "./crowd.js";
import { SoakFleet } from "./fleet.js";
import { Ledger } from "./ledger.js";
import { growthOf, MemoryLog } from "./memory.js";
import { planFor, type Plan, type Step } from "./schedule.js";

const WATCH_MS = 2_000;
const MINUTE_MS = 60_000;
const JOIN_MS = 60_000;
const HEAR_MS = 30_000;
/** Beyond the run's own time: starts, the last steps, the end. */
const EXTRA_MS = 5 * MINUTE_MS;

/**
 * @param app the file of the app that the nodes run; it must answer what app.mjs answers
 * @param print takes a line
 * @returns what went wrong, in words; empty when all is well
 */
export async function soak(minutes: number, app: string, print: (line: string) => void): Promise<readonly string[]> {
  const plan = planFor(minutes);
  const fleet = await SoakFleet.start({ app, retentionMs: plan.retentionMs });
  const run = new SoakRun(plan, fleet, print);
  const faults: string[] = [];
  try {
    await within(run.run(), plan.durationMs + EXTRA_MS, "the run to come to its end");
  } catch (error) {
    faults.push(error instanceof Error ? error.message : String(error));
  } finally {
    await run.stop();
  }
  return [...faults, ...run.verdict()];
}

class SoakRun {
  readonly #plan: Plan;
  readonly #fleet: SoakFleet;
  readonly #print: (line: string) => void;
  readonly #ledger = new Ledger();
  readonly #memory = new MemoryLog();
  /** Of the clients' process: when it had no processor time, nothing that it measures is on time. */
  readonly #ownLag = monitorEventLoopDelay();
  readonly #startedAt = performance.now();
  #crowd: Crowd | undefined;
  #closeBalancer: (() => Promise<void>) | undefined;
  readonly #faults: string[] = [];
  #steps = 0;
  #minutes = 0;
  #watching: Promise<void> | undefined;
  #stopped = false;

  constructor(plan: Plan, fleet: SoakFleet, print: (line: string) => void) {
    this.#plan = plan;
    this.#fleet = fleet;
    this.#print = print;
    this.#ownLag.enable();
  }

  async run(): Promise<void> {
    const { ports } = this.#fleet;
    const balancer = await startBalancer(ports);
    this.#closeBalancer = () => balancer.close();
    await this.#fleet.untilWhole();
    const crowd = new Crowd({
      ledger: this.#ledger,
      nodePorts: ports,
      balancerPort: balancer.port,
      mayCut: (place) => this.#fleet.mayCut(place),
    });
    this.#crowd = crowd;
    await this.#untilJoined(crowd);
    this.#tell(`${crowd.size} clients have joined; ${this.#plan.durationMs / MINUTE_MS} minutes begin`);
    crowd.speak();
    this.#watching = this.#watch().catch(
      (error: unknown) => void this.#faults.push(`watching failed: ${String(error)}`),
    );
    const begunAt = performance.now();
    const until = (atMs: number): Promise<void> => delay(Math.max(0, begunAt + atMs - performance.now()));
    for (const step of this.#plan.steps) {
      await until(step.atMs);
      await this.#strike(step, crowd);
      this.#steps++;
    }
    await until(this.#plan.durationMs);
    await crowd.hush(HEAR_MS);
    this.#ledger.close();
    this.#stopped = true;
    await this.#watching;
    await crowd.stop();
    await this.#fleet.stopNicely();
  }

  /** Ends all that was started, wherever the run is. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#crowd?.stop();
    await this.#closeBalancer?.();
    await this.#fleet.stop();
    await this.#watching;
  }

  /** @returns what went wrong, in words */
  verdict(): readonly string[] {
    const { said, heard, lost, repeated, overtaken } = this.#ledger.counts;
    const faults = [...this.#faults, ...this.#fleet.faults, ...(this.#crowd?.faults ?? []), ...this.#ledger.told];
    if (said === 0 || heard === 0) faults.push(`${said} messages were said and ${heard} heard`);
    if (lost > 0) faults.push(`${lost} messages were lost to members that were connected`);
    if (repeated > 0) faults.push(`${repeated} messages came twice or to the wrong members`);
    if (overtaken > 0) faults.push(`${overtaken} messages came after a later one of the same publisher`);
    if (this.#steps < this.#plan.steps.length)
      faults.push(`${this.#steps} of ${this.#plan.steps.length} kills and restarts were survived`);
    this.#print(`\n${"process".padEnd(20)}${"pid".padStart(8)}   memory after its warm-up, MB`);
    for (const life of this.#memory.lives) {
      const growth = growthOf(life, this.#plan.warmUpMs);
      const who = `${life.name.padEnd(20)}${String(life.pid).padStart(8)}`;
      if (growth === undefined) {
        this.#print(`${who}   lived too short a time`);
        continue;
      }
      const { fromMb, toMb, growthMb, perMinuteMb, flat } = growth;
      const figures = `${growthMb.toFixed(1)} MB by its slope, ${perMinuteMb.toFixed(2)} MB a minute`;
      this.#print(`${who}   ${fromMb.toFixed(1)} → ${toMb.toFixed(1)}: ${figures}${flat ? "" : "  NOT FLAT"}`);
      if (!flat) faults.push(`the memory of ${life.name}, process ${life.pid}, has grown by ${figures}`);
    }
    this.#print(this.#line());
    return faults;
  }

  async #strike({ blow }: Step, crowd: Crowd): Promise<void> {
    const { awayMs } = this.#plan;
    switch (blow) {
      case "kill a node":
        this.#tell(await this.#fleet.killOne(awayMs));
        break;
      case "restart redis":
        this.#tell(await this.#fleet.restartRedis(awayMs, false));
        break;
      case "restart redis empty":
        // What it alone has would be lost with it.
        await crowd.hush(HEAR_MS);
        crowd.speak();
        this.#tell(await this.#fleet.restartRedis(awayMs, true));
        break;
    }
    await this.#fleet.untilWhole();
    await this.#untilJoined(crowd);
  }

  async #untilJoined(crowd: Crowd): Promise<void> {
    const message = (): string => `all clients to join; ${crowd.joined} of ${crowd.size} had`;
    await waitFor(() => crowd.joined === crowd.size, { timeoutMs: JOIN_MS, message });
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      await this.#fleet.watch();
      this.#memory.sample(this.#fleet.processes, performance.now());
      const minutes = Math.floor((performance.now() - this.#startedAt) / MINUTE_MS);
      if (minutes > this.#minutes) {
        this.#minutes = minutes;
        const now = `clients ${this.#crowd?.joined ?? 0}, late by ${(this.#ownLag.max / 1e9).toFixed(1)} s themselves, ${this.#fleet.up}`;
        this.#ownLag.reset();
        this.#tell(`${this.#line()}; ${now}; MB: ${this.#memory.latest(this.#fleet.processes)}`);
      }
      await delay(WATCH_MS);
    }
  }

  #line(): string {
    const { said, heard, late, excused, again, lost, repeated, overtaken, slowestMs } = this.#ledger.counts;
    return [
      `said ${said}, heard ${heard}, late ${late} (slowest ${(slowestMs / 1_000).toFixed(1)} s)`,
      `excused ${excused}, again ${again}, lost ${lost}, twice ${repeated}, overtaken ${overtaken}`,
    ].join("; ");
  }

  #tell(what: string): void {
    const seconds = Math.round((performance.now() - this.#startedAt) / 1_000);
    this.#print(`${String(Math.floor(seconds / 60)).padStart(3)}:${String(seconds % 60).padStart(2, "0")} ${what}`);
  }
}
