/** The demo page as a reader sees it: one browser context each, so two of them are two people. */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import assert from "node:assert/strict";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";

const DEADLINE_MS = 15_000;
/** What Chromium itself reports about requests that fail, as they must when a connection is cut or a worker dies. */
const NETWORK_ERROR = /^(Failed to load resource|WebSocket connection to)/;

export class ChannelsPage {
  readonly page: Page;
  /** Errors of the console, uncaught ones included. */
  readonly errors: string[] = [];
  /** WebSocket connections the page has opened so far. */
  webSockets = 0;

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(DEADLINE_MS);
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") this.errors.push(message.text());
    });
    page.on("pageerror", (error) => this.errors.push(`uncaught: ${error.message}`));
    page.on("websocket", () => this.webSockets++);
  }

  /** Open and connected, with the worker known. */
  static async open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<ChannelsPage> {
    const context = await browser.newContext(options);
    const opened = new ChannelsPage(await context.newPage());
    await opened.page.goto(url);
    await opened.connected();
    return opened;
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }

  get(testId: string): Locator {
    return this.page.getByTestId(testId);
  }

  /** Connected, and served by a worker other than the process `notPid`. */
  async connected({ notPid = 0 }: { notPid?: number } = {}): Promise<void> {
    await this.get("state").and(this.page.locator('[data-state="connected"]')).waitFor();
    await this.page
      .locator(`[data-testid="worker"][data-pid]:not([data-pid=""]):not([data-pid="${notPid}"])`)
      .waitFor({ state: "attached" });
  }

  async worker(): Promise<{ slot: number; pid: number }> {
    const { worker, pid } = await this.get("worker").evaluate((node) => ({ ...(node as HTMLElement).dataset }));
    return { slot: Number(worker), pid: Number(pid) };
  }

  /** Waits for the transports of the present connection, first to last, as in "polling websocket". */
  async usesTransports(path: string): Promise<void> {
    await this.page.locator(`[data-testid="transport"][data-path="${path}"]`).waitFor();
  }

  async recoveries(): Promise<number> {
    return Number(await this.get("recoveries").textContent());
  }

  async reconnects(): Promise<number> {
    return Number(await this.get("reconnects").textContent());
  }

  async join(name: string, room: string): Promise<void> {
    await this.get("name").fill(name);
    await this.get("room").fill(room);
    await this.get("join").click();
    await this.get("room-title").waitFor();
    assert.equal(await this.get("room-title").textContent(), room);
  }

  async say(text: string): Promise<void> {
    await this.get("text").fill(text);
    await this.get("send").click();
  }

  /** Waits for a message of this text on the page, the page's own included. */
  async shows(text: string): Promise<Locator> {
    const message = this.get("message").filter({ has: this.page.getByText(text, { exact: true }) });
    await message.waitFor();
    return message;
  }

  /** Waits until the page lists exactly these members. */
  async listsMembers(...names: string[]): Promise<void> {
    await this.page.waitForFunction(
      (expected) => {
        const items = [...document.querySelectorAll<HTMLElement>('[data-testid="member"]')];
        const shown = items.map(({ dataset }) => dataset["name"] ?? "");
        return JSON.stringify(shown.sort()) === expected;
      },
      JSON.stringify([...names].sort()),
    );
  }

  /** `afterFailures`: what Chromium says about cut connections is expected here, anything else is not. */
  assertNoErrors({ afterFailures = false } = {}): void {
    const unexpected = this.errors.filter((text) => !(afterFailures && NETWORK_ERROR.test(text)));
    assert.deepEqual(unexpected, []);
  }
}

/** Two pages on two workers; those opened on the way that share a worker are closed again. */
export async function openOnTwoWorkers(browser: Browser, url: string): Promise<[ChannelsPage, ChannelsPage]> {
  const first = await ChannelsPage.open(browser, url);
  const { slot } = await first.worker();
  const surplus: ChannelsPage[] = [];
  try {
    for (let attempt = 0; attempt < 8; attempt++) {
      const second = await ChannelsPage.open(browser, url);
      if ((await second.worker()).slot !== slot) return [first, second];
      surplus.push(second);
    }
    throw new Error("eight pages in a row came to the same worker");
  } finally {
    await Promise.all(surplus.map((page) => page.close()));
  }
}
