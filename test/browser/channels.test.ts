/** The demo page in a real Chromium, on a node of two workers. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test, { after, afterEach, before } from "node:test";
import type { Browser, Page } from "playwright-core";
import { launchBrowser } from "../support/browser.js";
import { startNode, type TestNode } from "../support/node.js";
import { ChannelsPage, openOnTwoWorkers } from "./channels-page.js";

let node: TestNode;
let browser: Browser;
let rooms = 0;
/** A room of its own for each test. */
const newRoom = (): string => `room ${++rooms}`;

before(async () => {
  browser = await launchBrowser();
  node = await startNode();
});

afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
});

after(async () => {
  await browser.close();
  await node.stop();
});

/** A picture of noise, as PNG and as the pixels it must show. Opaque, since canvases round colours under transparency. */
async function noise(page: Page, width: number, height: number): Promise<{ png: Buffer; pixels: string }> {
  const { png, pixels } = await page.evaluate(
    async ({ width, height }) => {
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width, height });
      const context = canvas.getContext("2d");
      if (context === null) throw new Error("no canvas");
      const data = context.createImageData(width, height);
      for (let i = 0; i < data.data.length; i++) data.data[i] = i % 4 === 3 ? 255 : Math.floor(Math.random() * 256);
      context.putImageData(data, 0, 0);
      return { png: canvas.toDataURL("image/png").split(",")[1] ?? "", pixels: data.data.join() };
    },
    { width, height },
  );
  return { png: Buffer.from(png, "base64"), pixels };
}

/** The last picture of a page, once loaded. */
async function lastPicture(page: Page): Promise<{ width: number; height: number; pixels: string }> {
  await page.waitForFunction(() => {
    const last = [...document.querySelectorAll<HTMLImageElement>('[data-testid="picture"]')].at(-1);
    return last !== undefined && last.complete && last.naturalWidth > 0;
  });
  return page.evaluate(() => {
    const image = [...document.querySelectorAll<HTMLImageElement>('[data-testid="picture"]')].at(-1);
    if (image === undefined) throw new Error("no picture");
    const { naturalWidth: width, naturalHeight: height } = image;
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("no canvas");
    context.drawImage(image, 0, 0);
    return {
      width,
      height,
      pixels: width * height > 10_000 ? "" : context.getImageData(0, 0, width, height).data.join(),
    };
  });
}

test("two pages on two workers see each other and talk both ways", async () => {
  const [ada, bo] = await openOnTwoWorkers(browser, node.url);
  const room = newRoom();
  await ada.join("Ada", room);
  await bo.join("Bo", room);
  await ada.listsMembers("Ada", "Bo");
  await bo.listsMembers("Ada", "Bo");

  await ada.say("hello from one worker");
  const heard = await bo.shows("hello from one worker");
  await bo.say("hello from the other");
  await ada.shows("hello from the other");

  assert.match((await heard.textContent()) ?? "", new RegExp(`Ada.*worker ${(await ada.worker()).slot}`));
  await ada.get("messages").locator('[data-status="sent"]').first().waitFor();
  ada.assertNoErrors();
  bo.assertNoErrors();
});

test("what a member writes is shown as text, never as markup", async () => {
  const [ada, bo] = await openOnTwoWorkers(browser, node.url);
  const room = newRoom();
  await ada.join("<b>Ada</b>", room);
  await bo.join("Bo", room);
  const markup = `<img src=x onerror="document.title='gone'">`;
  await ada.say(markup);
  await bo.shows(markup);
  assert.equal(await bo.get("messages").locator("img, b").count(), 0);
  assert.equal(await bo.page.title(), "limpet");
  bo.assertNoErrors();
});

test("an image arrives on the other worker with every pixel as it was", async () => {
  const [ada, bo] = await openOnTwoWorkers(browser, node.url);
  const room = newRoom();
  await ada.join("Ada", room);
  await bo.join("Bo", room);
  const { png, pixels } = await noise(ada.page, 61, 43);
  await ada.get("image-input").setInputFiles({ name: "noise.png", mimeType: "image/png", buffer: png });
  assert.deepEqual(await lastPicture(bo.page), { width: 61, height: 43, pixels });
  ada.assertNoErrors();
  bo.assertNoErrors();
});

test("a large image is made smaller before it is sent", async () => {
  const [ada, bo] = await openOnTwoWorkers(browser, node.url);
  const room = newRoom();
  await ada.join("Ada", room);
  await bo.join("Bo", room);
  const { png } = await noise(ada.page, 1800, 600);
  assert.ok(png.byteLength > 1_000_000, "more than one packet may carry");
  await ada.get("image-input").setInputFiles({ name: "large.png", mimeType: "image/png", buffer: png });
  const { width, height } = await lastPicture(bo.page);
  assert.ok(width <= 1600 && width > 200, `${width} pixels wide`);
  assert.ok(Math.abs(width / height - 3) < 0.05, `${width} x ${height} keeps its shape`);
  ada.assertNoErrors();
});

test("a file that is no image is refused with a sentence, and nothing is sent", async () => {
  const [ada] = await openOnTwoWorkers(browser, node.url);
  await ada.join("Ada", newRoom());
  await ada.get("image-input").setInputFiles({ name: "x.png", mimeType: "image/png", buffer: randomBytes(400) });
  await ada.page.getByText("This file is not an image the browser can read.").waitFor();
  assert.equal(await ada.get("message").count(), 0);
  ada.assertNoErrors();
});

test("the other page sees that somebody types, and sees it end", async () => {
  const [ada, bo] = await openOnTwoWorkers(browser, node.url);
  const room = newRoom();
  await ada.join("Ada", room);
  await bo.join("Bo", room);
  await ada.get("text").pressSequentially("he");
  await bo.get("typing").getByText("Ada is typing…").waitFor();
  await ada.get("text").fill("");
  await bo.page.waitForFunction(() => document.querySelector('[data-testid="typing"]')?.textContent === "");
});

test("a page begins with polling and upgrades to WebSocket, and measures the round trip", async () => {
  const page = await ChannelsPage.open(browser, node.url);
  await page.usesTransports("polling websocket");
  assert.equal(page.webSockets, 1);
  await page.page.waitForFunction(() => Number(document.querySelector('[data-testid="rtt"]')?.textContent) > 0);
  page.assertNoErrors();
});

test("a page forced to polling stays on it and still talks, and upgrades again when released", async () => {
  const [ada, bo] = await openOnTwoWorkers(browser, node.url);
  const room = newRoom();
  await ada.join("Ada", room);
  await bo.join("Bo", room);
  await ada.usesTransports("polling websocket");
  await ada.get("force-polling").click();
  await ada.usesTransports("polling");
  await ada.connected();
  const before = ada.webSockets;
  for (let turn = 1; turn <= 8; turn++) {
    await ada.say(`polled ${turn}`);
    await bo.shows(`polled ${turn}`);
    await bo.say(`answered ${turn}`);
    await ada.shows(`answered ${turn}`);
  }
  await ada.usesTransports("polling");
  assert.equal(ada.webSockets, before, "no WebSocket was opened");
  assert.equal(await ada.get("force-polling").getAttribute("aria-pressed"), "true");

  await ada.get("force-polling").click();
  await ada.usesTransports("polling websocket");
  ada.assertNoErrors({ afterFailures: true });
  bo.assertNoErrors();
});

test("a dropped connection comes back by itself, joins its room again, and sends what was written meanwhile", async () => {
  const [ada, bo] = await openOnTwoWorkers(browser, node.url);
  const room = newRoom();
  await ada.join("Ada", room);
  await bo.join("Bo", room);
  await ada.usesTransports("polling websocket");
  // Both in one turn of the page, so the message is surely written before the client is back.
  await ada.get("text").fill("written while away");
  await ada.page.evaluate(() => {
    document.querySelector<HTMLElement>('[data-testid="drop"]')?.click();
    document.querySelector<HTMLElement>('[data-testid="send"]')?.click();
  });
  await bo.shows("written while away");
  await ada.connected();
  assert.equal(await ada.reconnects(), 1);
  await ada.listsMembers("Ada", "Bo");
  await bo.listsMembers("Ada", "Bo");
  await bo.say("welcome back");
  await ada.shows("welcome back");
  assert.equal(await bo.page.getByText("written while away", { exact: true }).count(), 1, "shown once");
  ada.assertNoErrors({ afterFailures: true });
});

test("a page that was away shows what was said meanwhile, in order, and is the same member as before", async () => {
  const [ada, bo] = await openOnTwoWorkers(browser, node.url);
  const room = newRoom();
  await ada.join("Ada", room);
  await bo.join("Bo", room);
  await ada.usesTransports("polling websocket");
  await ada.page.context().setOffline(true);
  const texts = ["one", "two", "three"].map((text) => `${text} in ${room}`);
  for (const text of texts) await bo.say(text);
  await bo.listsMembers("Bo");
  await ada.page.context().setOffline(false);
  for (const text of texts) await ada.shows(text);
  await ada.page.getByText("You are back, and have missed nothing.").waitFor();
  assert.equal(await ada.recoveries(), 1);
  await ada.listsMembers("Ada", "Bo");
  await bo.listsMembers("Ada", "Bo");
  for (const text of texts) assert.equal(await ada.page.getByText(text, { exact: true }).count(), 1, "shown once");
  const shown = await ada.page.getByTestId("messages").textContent();
  const places = texts.map((text) => shown?.indexOf(text) ?? -1);
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  );
  ada.assertNoErrors({ afterFailures: true });
  bo.assertNoErrors();
});

test("both pages come back and talk again after the workers that served them were killed", async () => {
  const [ada, bo] = await openOnTwoWorkers(browser, node.url);
  const room = newRoom();
  await ada.join("Ada", room);
  await bo.join("Bo", room);
  await ada.usesTransports("polling websocket");
  await bo.usesTransports("polling websocket");

  const lost = await ada.worker();
  process.kill(lost.pid, "SIGKILL");
  await ada.connected({ notPid: lost.pid });
  await ada.listsMembers("Ada", "Bo");
  await bo.listsMembers("Ada", "Bo");
  assert.equal(await bo.reconnects(), 0, "the other worker's page noticed nothing");
  bo.assertNoErrors();
  await ada.say("back after one");
  await bo.shows("back after one");

  const alsoLost = await bo.worker();
  process.kill(alsoLost.pid, "SIGKILL");
  await bo.connected({ notPid: alsoLost.pid });
  await bo.listsMembers("Ada", "Bo");
  await ada.connected({ notPid: alsoLost.pid });
  await ada.listsMembers("Ada", "Bo");
  await bo.say("back after two");
  await ada.shows("back after two");
  await ada.say("so am I");
  await bo.shows("so am I");
  assert.ok((await bo.reconnects()) >= 1);
  ada.assertNoErrors({ afterFailures: true });
  bo.assertNoErrors({ afterFailures: true });
});

test("a room can be found in the list, joined with a click, left, and is named in the address", async () => {
  const [ada, bo] = await openOnTwoWorkers(browser, node.url);
  const room = newRoom();
  await ada.join("Ada", room);
  await bo.get("name").fill("Bo");
  await bo.page.locator(`[data-testid="room-choice"][data-room="${room}"]`).click();
  await ada.listsMembers("Ada", "Bo");
  // Ada hears of Bo before Bo's own page does.
  await bo.page.waitForURL(({ hash }) => hash === `#${encodeURIComponent(room)}`);
  await bo.get("leave").click();
  await bo.get("join-form").waitFor();
  await ada.listsMembers("Ada");
  bo.assertNoErrors();
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`a phone of 360 px needs no sideways scrolling and the page follows the ${colorScheme} scheme`, async () => {
    const viewport = { width: 360, height: 740 };
    const phone = await ChannelsPage.open(browser, node.url, { viewport, colorScheme, hasTouch: true });
    const overflowPx = () => phone.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok((await overflowPx()) <= 0, "in the lobby");

    const room = "a room with a rather long name, as people will do";
    await phone.join("Somebody with quite a long name", room);
    await phone.say("x".repeat(300));
    await phone.shows("x".repeat(300));
    const { png } = await noise(phone.page, 900, 300);
    await phone.get("image-input").setInputFiles({ name: "wide.png", mimeType: "image/png", buffer: png });
    await lastPicture(phone.page);
    assert.ok((await overflowPx()) <= 0, "in a room");
    const inside = await phone.get("messages").evaluate((list) => list.scrollWidth - list.clientWidth);
    assert.ok(inside <= 0, "within the messages");

    await phone.page.getByRole("button", { name: /worker/ }).click();
    await phone.get("drop").waitFor();
    assert.ok((await overflowPx()) <= 0, "with the panel open");

    const [background, text] = await phone.page.evaluate(() => {
      const { backgroundColor, color } = getComputedStyle(document.body);
      return [backgroundColor, color].map((value) => {
        const [red = 0, green = 0, blue = 0] = (value.match(/\d+/g) ?? []).map(Number);
        return (0.21 * red + 0.72 * green + 0.07 * blue) / 255;
      });
    });
    assert.ok(background !== undefined && text !== undefined);
    const [darker, lighter] = colorScheme === "dark" ? [background, text] : [text, background];
    assert.ok(darker < 0.2 && lighter > 0.8, `background ${background}, text ${text}`);
    phone.assertNoErrors();
    await phone.close();
  });
}

test("the page can be used with the keyboard alone, and every control has a name", async () => {
  const ada = await ChannelsPage.open(browser, node.url);
  const { page } = ada;
  assert.equal(await page.evaluate(() => document.activeElement?.id), "name", "the name has the focus");
  await page.keyboard.type("Ada");
  await page.keyboard.press("Tab");
  await page.keyboard.type(" of the keyboard");
  await page.keyboard.press("Enter");
  await page.getByTestId("room-title").waitFor();
  await page.keyboard.type("typed and sent");
  await page.keyboard.press("Enter");
  await page.getByTestId("message").getByText("typed and sent", { exact: true }).waitFor();
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("button, input, textarea")]
      .filter((control) => {
        const labels = "labels" in control ? [...((control as HTMLInputElement).labels ?? [])] : [];
        const names = [control.textContent, control.ariaLabel, ...labels.map((label) => label.textContent)];
        return names.every((name) => (name ?? "").trim() === "");
      })
      .map((control) => control.outerHTML),
  );
  assert.deepEqual(nameless, []);
  ada.assertNoErrors();
});
