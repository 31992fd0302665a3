/** Reads the commands out of what a client sends Redis. */

export interface RedisCommand {
  /** In capitals. */
  readonly name: string;
  readonly args: readonly Buffer[];
}

const CRLF = Buffer.from("\r\n");

/** What it cannot read, TLS say, ends the reading: no further command comes of it. */
export class CommandReader {
  #rest: Buffer = Buffer.alloc(0);
  #readable = true;

  /** @returns the commands that are whole with this chunk */
  read(chunk: Buffer): RedisCommand[] {
    if (!this.#readable) return [];
    const commands: RedisCommand[] = [];
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let next = this.#next(); next !== undefined; next = this.#next()) commands.push(next);
    return commands;
  }

  #next(): RedisCommand | undefined {
    const head = this.#header(0, "*");
    if (head === undefined) return undefined;
    let at = head.end;
    const parts: Buffer[] = [];
    for (let n = 0; n < head.count; n++) {
      const part = this.#header(at, "$");
      if (part === undefined || this.#rest.length < part.end + part.count + CRLF.length) return undefined;
      at = part.end + part.count + CRLF.length;
      parts.push(this.#rest.subarray(part.end, part.end + part.count));
    }
    this.#rest = this.#rest.subarray(at);
    const [name = Buffer.alloc(0), ...args] = parts;
    return { name: name.toString().toUpperCase(), args };
  }

  /** `*3\r\n` or `$12\r\n`; undefined where it is not whole yet, or none. */
  #header(at: number, mark: "*" | "$"): { count: number; end: number } | undefined {
    if (this.#rest.length <= at) return undefined;
    const end = this.#rest.indexOf(CRLF, at);
    const count = end < 0 ? 0 : Number(this.#rest.toString("latin1", at + 1, end));
    if (this.#rest[at] !== mark.charCodeAt(0) || !Number.isInteger(count)) {
      this.#readable = false;
      this.#rest = Buffer.alloc(0);
      return undefined;
    }
    return end < 0 ? undefined : { count, end: end + CRLF.length };
  }
}
