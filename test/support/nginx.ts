/** A real nginx for the tests, in a folder of its own. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { exitOf, killGroup, startGroup, type Scope } from "./children.js";
import { freePort } from "./free-port.js";
import { waitFor } from "./wait.js";

const run = promisify(execFile);
const MISSING = "nginx is missing: on Debian, apt-get install --no-install-recommends nginx-light";

/** What a configuration can be made with. */
export interface NginxPlace {
  /** Free ports to listen on. */
  readonly port: number;
  readonly secondPort: number;
  /** The folder that goes away with the test. */
  readonly folder: string;
}

/** A whole nginx.conf, or what stands inside its `http` block. */
export type NginxConfig = (place: NginxPlace) => string;

export interface AccessLine {
  readonly status: number;
  readonly request: string;
  /** Bytes and reasons as nginx writes them; `-` where there was no upstream. */
  readonly upstream: string;
  readonly upstreamStatus: string;
}

export interface Nginx extends NginxPlace {
  readonly url: string;
  /** What it wrote to its error log, at level `warn` and above. */
  errors(): string;
  /** Requests it has answered. Only for configurations that are no whole nginx.conf. */
  requests(): AccessLine[];
  stop(): Promise<void>;
}

/** Starts nginx with one worker process and waits until it listens, on every port of its configuration. */
export async function startNginx(scope: Scope, config: NginxConfig): Promise<Nginx> {
  const attempts = 3;
  for (let attempt = 1; ; attempt++) {
    const place = await prepare(scope, config);
    const nginx = launch(place);
    scope.after(nginx.stop);
    try {
      await waitFor(() => nginx.ended() || nginx.listens(), {
        message: () => `nginx:\n${nginx.errors()}`,
      });
      if (!nginx.ended()) return { ...place, url: `http://127.0.0.1:${place.port}`, ...nginx };
      throw new Error(`nginx did not start:\n${nginx.errors()}`);
    } catch (error) {
      // Somebody else took a port in the meantime.
      if (attempt === attempts || !nginx.errors().includes("Address already in use")) throw error;
    }
  }
}

/** What `nginx -t` says about a configuration. */
export async function checkNginx(scope: Scope, config: NginxConfig): Promise<{ ok: boolean; output: string }> {
  const place = await prepare(scope, config);
  try {
    const { stderr } = await run("nginx", [...argumentsFor(place), "-t"]);
    return { ok: true, output: stderr };
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
    if (String(code) === "ENOENT") throw new Error(MISSING, { cause: error });
    return { ok: false, output: stderr ?? "" };
  }
}

async function prepare(scope: Scope, config: NginxConfig): Promise<NginxPlace> {
  const folder = mkdtempSync(path.join(tmpdir(), "limpet-nginx-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(path.join(folder, "logs"));
  const place = { folder, port: await freePort(), secondPort: await freePort() };
  const text = config(place);
  writeFileSync(path.join(folder, "nginx.conf"), /^\s*events\b/m.test(text) ? text : wrap(text));
  return place;
}

function wrap(http: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `worker_processes 1;
events { worker_connections 4096; }
http {
${temporary.map((name) => `  ${name}_temp_path temporary_${name};`).join("\n")}
  log_format test escape=none '$status\\t$request\\t$upstream_addr\\t$upstream_status';
  access_log logs/access.log test;
${http}
}
`;
}

function argumentsFor({ folder }: NginxPlace): string[] {
  // Started by root, the worker processes would drop to a user who cannot enter the folder.
  const user = process.getuid?.() === 0 ? "user root; " : "";
  const globals = `${user}daemon off; pid ${folder}/nginx.pid; error_log ${folder}/logs/error.log warn;`;
  return ["-p", `${folder}/`, "-c", "nginx.conf", "-e", `${folder}/logs/error.log`, "-g", globals];
}

function launch(
  place: NginxPlace,
): Pick<Nginx, "errors" | "requests" | "stop"> & { ended(): boolean; listens(): boolean } {
  let child;
  try {
    child = startGroup("nginx", argumentsFor(place), { stdio: ["ignore", "ignore", "pipe"] });
  } catch (error) {
    throw new Error(MISSING, { cause: error });
  }
  const { pid } = child;
  let written = "";
  child.stderr?.on("data", (chunk: Buffer) => (written += chunk.toString()));
  const read = (name: string): string => {
    try {
      return readFileSync(path.join(place.folder, name), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
      throw error;
    }
  };
  return {
    ended: () => child.exitCode !== null || child.signalCode !== null,
    // nginx writes its process id when it has opened all its sockets. A connection would tell of one port, and not whose it is.
    listens: () => read("nginx.pid") !== "",
    errors: () => written + read("logs/error.log"),
    requests: () => read("logs/access.log").split("\n").filter(Boolean).map(readAccessLine),
    stop: async () => {
      killGroup(pid);
      await exitOf(child, 10_000, "nginx");
    },
  };
}

function readAccessLine(line: string): AccessLine {
  const [status = "", request = "", upstream = "-", upstreamStatus = "-"] = line.split("\t");
  return { status: Number(status), request, upstream, upstreamStatus };
}
