/** The other end of a load process. */
import { once } from "node:events";
import path from "node:path";
import { exitOf, killGroup, startGroup } from "../../../test/support/children.js";
import { root } from "../../../test/support/node.js";
import { within } from "../../../test/support/wait.js";
import type { Answer, Order, TaskName, Tasks } from "./tasks.js";

const PROGRAM = path.join(import.meta.dirname, "process.ts");
/** The longest task. */
const TASK_MS = 180_000;
const STOP_MS = 10_000;

export class Load {
  readonly #child: ReturnType<typeof startGroup>;
  readonly #ended: Promise<never>;

  private constructor(child: ReturnType<typeof startGroup>) {
    this.#child = child;
    this.#ended = once(child, "exit").then(() => {
      throw new Error("the load process has ended");
    });
    // Heard where an answer is waited for.
    this.#ended.catch(() => undefined);
  }

  static async start(): Promise<Load> {
    const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
    const child = startGroup(process.execPath, ["--import", "tsx", PROGRAM], { stdio: [...stdio], cwd: root });
    const load = new Load(child);
    try {
      await load.#answer("its start");
    } catch (error) {
      await load.stop();
      throw error;
    }
    return load;
  }

  /** Has a task done. @throws Error where it fails */
  async run<K extends TaskName>(task: K, ...[options]: Parameters<Tasks[K]>): Promise<Awaited<ReturnType<Tasks[K]>>> {
    const answer = this.#answer(task);
    this.#child.send({ task, options } satisfies Order);
    return (await answer) as Awaited<ReturnType<Tasks[K]>>;
  }

  async stop(): Promise<void> {
    killGroup(this.#child.pid);
    await exitOf(this.#child, STOP_MS, "the load process");
  }

  async #answer(what: string): Promise<unknown> {
    const answered = once(this.#child, "message") as Promise<[Answer]>;
    const [answer] = await within(Promise.race([answered, this.#ended]), TASK_MS, `the load process: ${what}`);
    if ("error" in answer) throw new Error(answer.error);
    return answer.result;
  }
}
