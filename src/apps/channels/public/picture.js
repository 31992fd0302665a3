/** Images on their way out: sent as they are when they fit, otherwise drawn smaller. */
const MAX_SIDE_PX = 1600;
const AS_THEY_ARE = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
const QUALITIES = [0.85, 0.7, 0.5];

/** A blob of at most `maxBytes` that the server accepts; throws an Error that can be shown. */
export async function prepareImage(file, maxBytes) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch (error) {
    throw new Error("This file is not an image the browser can read.", { cause: error });
  }
  try {
    const largest = Math.max(bitmap.width, bitmap.height);
    if (AS_THEY_ARE.has(file.type) && file.size <= maxBytes && largest <= MAX_SIDE_PX) return file;
    for (let side = Math.min(MAX_SIDE_PX, largest); side >= 200; side *= 0.7) {
      const canvas = draw(bitmap, side / largest);
      for (const quality of QUALITIES) {
        const blob = await encode(canvas, quality);
        if (blob !== null && blob.size <= maxBytes) return blob;
      }
    }
  } finally {
    bitmap.close();
  }
  throw new Error("This image could not be made small enough.");
}

function draw(bitmap, scale) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** WebP keeps transparency; a browser that cannot write it answers with another type, and gets JPEG. */
async function encode(canvas, quality) {
  const toBlob = (type) => new Promise((resolve) => canvas.toBlob(resolve, type, quality));
  const webp = await toBlob("image/webp");
  return webp?.type === "image/webp" ? webp : toBlob("image/jpeg");
}
