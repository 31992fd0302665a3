import assert from "node:assert/strict";
import test from "node:test";
import { Coalescer } from "../../src/apps/channels/coalescer.js";

/** A task that runs until it is told to end, and counts its runs. */
function controlled() {
  const runs: { resolve: (value: number) => void; reject: (error: Error) => void }[] = [];
  const task = (): Promise<number> => new Promise((resolve, reject) => runs.push({ resolve, reject }));
  return { runs, task };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("whoever asks while a task runs shares one later run, that began after they asked", async () => {
  const { runs, task } = controlled();
  const coalescer = new Coalescer<number>();
  const first = coalescer.run("key", task);
  const late = [coalescer.run("key", task), coalescer.run("key", task), coalescer.run("key", task)];
  assert.equal(runs.length, 1);
  runs[0]?.resolve(1);
  assert.equal(await first, 1);
  await turn();
  assert.equal(runs.length, 2);
  runs[1]?.resolve(2);
  assert.deepEqual(await Promise.all(late), [2, 2, 2]);
});

test("keys do not wait for each other", () => {
  const { runs, task } = controlled();
  const coalescer = new Coalescer<number>();
  void coalescer.run("one", task);
  void coalescer.run("two", task);
  assert.equal(runs.length, 2);
});

test("a failed run fails those who shared it, and the next one begins all the same", async () => {
  const { runs, task } = controlled();
  const coalescer = new Coalescer<number>();
  const first = coalescer.run("key", task);
  const second = coalescer.run("key", task);
  runs[0]?.reject(new Error("lost"));
  await assert.rejects(first, /lost/);
  await turn();
  runs[1]?.resolve(2);
  assert.equal(await second, 2);
  await turn();
  const third = coalescer.run("key", task);
  assert.equal(runs.length, 3, "nothing runs any more, so this one begins at once");
  runs[2]?.resolve(3);
  assert.equal(await third, 3);
});
