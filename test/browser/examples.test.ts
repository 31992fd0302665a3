/** The examples' own pages in a real Chromium. */
/// <reference lib="dom" />
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import type { Browser, Page } from "playwright-core";
import { launchBrowser } from "../support/browser.js";
import { startNode } from "../support/node.js";
import { waitFor } from "../support/wait.js";

let browser: Browser;

before(async () => {
  browser = await launchBrowser();
});

after(async () => {
  await browser.close();
});

async function open(url: string): Promise<{ page: Page; errors: string[] }> {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(15_000);
  const errors: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(url);
  return { page, errors };
}

test("examples/chat: two browsers join, see who types, and exchange a text and an image", async (t) => {
  const node = await startNode({ app: "examples/chat/app.js" }, t);
  const [ada, bo] = [await open(node.url), await open(node.url)];
  for (const [{ page }, name] of [
    [ada, "Ada"],
    [bo, "Bo"],
  ] as const) {
    await page.getByLabel("Name").fill(name);
    await page.getByRole("button", { name: "Join" }).click();
    await page.getByText(`In lobby with`).waitFor();
  }
  await ada.page.getByText("Bo joined").waitFor();
  await ada.page.getByLabel("Message").pressSequentially("ahoy");
  await bo.page.getByText("Ada is typing…").waitFor();
  const image = "R0lGODlhAgABAIABAAAAAP///yH5BAAAAAAALAAAAAACAAEAAAICBAoAOw==";
  await ada.page
    .getByLabel("Image")
    .setInputFiles({ name: "dot.gif", mimeType: "image/gif", buffer: Buffer.from(image, "base64") });
  await ada.page.getByRole("button", { name: "Send" }).click();
  await bo.page.getByText("Ada: ahoy").waitFor();
  const picture = bo.page.getByAltText("Image from Ada");
  await picture.waitFor();
  await bo.page.waitForFunction(() => document.querySelector("img")?.naturalWidth === 2);
  assert.deepEqual([...ada.errors, ...bo.errors], []);
});

test("examples/express: the page shows a notice that was sent by HTTP", async (t) => {
  const node = await startNode({ app: "examples/express/app.ts" }, t);
  const { page, errors } = await open(node.url);
  await page.getByText(`${node.url}/notices`).waitFor();
  const watching = async (): Promise<number> =>
    ((await (await fetch(`${node.url}/watchers`)).json()) as { watchers: number }).watchers;
  await waitFor(async () => (await watching()) === 1, { message: "the page to watch" });
  const headers = { "Content-Type": "application/json" };
  await fetch(`${node.url}/notices`, { method: "POST", headers, body: JSON.stringify({ text: "<i>high water</i>" }) });
  await page.getByText("<i>high water</i>").waitFor();
  assert.deepEqual(errors, []);
});
