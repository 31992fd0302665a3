import assert from "node:assert/strict";
import test from "node:test";
import { imageType } from "../../src/apps/channels/image-type.js";

const WEBP = Buffer.concat([Buffer.from("RIFF"), Buffer.alloc(4, 1), Buffer.from("WEBPVP8 ")]);

test("images are known by their first bytes", () => {
  assert.equal(imageType(Buffer.from("89504e470d0a1a0a00", "hex")), "image/png");
  assert.equal(imageType(Buffer.from("ffd8ffe0", "hex")), "image/jpeg");
  assert.equal(imageType(Buffer.from("GIF89a…")), "image/gif");
  assert.equal(imageType(Buffer.from("GIF87a…")), "image/gif");
  assert.equal(imageType(WEBP), "image/webp");
});

test("everything else is no image: nothing, a part of a signature, SVG, HTML, a sound in a RIFF", () => {
  for (const bytes of ["", "\x89PNG", "GIF90a", "<svg xmlns='http://www.w3.org/2000/svg'/>", "<html>"]) {
    assert.equal(imageType(Buffer.from(bytes, "latin1")), undefined, bytes);
  }
  assert.equal(imageType(Buffer.from(WEBP.toString("latin1").replace("WEBP", "WAVE"), "latin1")), undefined);
});
