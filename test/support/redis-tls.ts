/** Certificates for a Redis of a test's own: an authority, and a server certificate for loopback that it signed, good for a day. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { Scope } from "./children.js";

const run = promisify(execFile);
const MISSING = "openssl is missing: on Debian, apt-get install --no-install-recommends openssl";
const CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

export interface Certificates {
  /** Of the authority, in PEM. */
  readonly ca: string;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** Makes them in a folder that goes away with the test. */
export async function makeCertificates(scope: Scope): Promise<Certificates> {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-tls-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string): string => path.join(folder, name);
  const authority = ["-x509", "-days", "1", "-subj", "/CN=limpet test authority"];
  await openssl(["req", ...authority, ...CURVE, "-keyout", at("ca.key"), "-out", at("ca.crt")]);
  await openssl(["req", "-subj", "/CN=127.0.0.1", ...CURVE, "-keyout", at("redis.key"), "-out", at("redis.csr")]);
  writeFileSync(at("names.ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  const signer = ["-CA", at("ca.crt"), "-CAkey", at("ca.key"), "-CAcreateserial", "-days", "1"];
  await openssl([
    ...["x509", "-req", "-in", at("redis.csr"), ...signer],
    ...["-extfile", at("names.ext"), "-out", at("redis.crt")],
  ]);
  return {
    ca: readFileSync(at("ca.crt"), "utf8"),
    caFile: at("ca.crt"),
    certFile: at("redis.crt"),
    keyFile: at("redis.key"),
  };
}

async function openssl(args: readonly string[]): Promise<void> {
  try {
    await run("openssl", args);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw new Error(MISSING, { cause: error });
    throw error;
  }
}
