/** Reads the configuration file. YAML holds JSON, so one parser reads both, and both have line numbers in the report. */
import { readFileSync } from "node:fs";
import path from "node:path";
import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  type YAMLMap,
} from "yaml";
import { givenValue, type Given, type Reading } from "./given.js";
import { configKeys, configSections } from "./keys.js";
import { didYouMean, nearest } from "./near-miss.js";
import { showValue, type Problem } from "./problem.js";
import { refusedKeys } from "./socketio-schema.js";

const keyByPath = new Map(configKeys.map((key) => [key.path, key]));
const lastName = (name: string): string => name.slice(name.lastIndexOf(".") + 1);

/** The keys and sections directly inside a section; "" is the file itself. */
function namesIn(prefix: string): string[] {
  const inside = [...keyByPath.keys(), ...configSections].filter((name) => name.startsWith(prefix));
  return inside.map((name) => name.slice(prefix.length)).filter((name) => !name.includes("."));
}

class FileReader {
  readonly given: Given[] = [];
  readonly problems: Problem[] = [];
  readonly #lines = new LineCounter();
  readonly #document: Document.Parsed;

  constructor(
    text: string,
    private readonly shownPath: string,
    private readonly directory: string,
  ) {
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
  }

  read(): void {
    for (const { message, pos } of [...this.#document.errors, ...this.#document.warnings]) {
      this.problems.push({ key: "config", origin: this.#at(pos[0]), message: `not valid YAML or JSON: ${message}` });
    }
    if (this.problems.length > 0 || !this.#isPlainData()) return;
    const root = this.#document.contents;
    if (isMap(root)) this.#readMap(root, "");
    else if (root !== null && !(isScalar(root) && root.value === null)) {
      this.problems.push({
        key: "config",
        value: this.#show(root),
        origin: this.#at(root.range[0]),
        message: `must be a mapping of ${namesIn("").join(", ")}`,
      });
    }
  }

  /** Aliases can point nowhere, at themselves, or at one another until they fill the memory. */
  #isPlainData(): boolean {
    try {
      JSON.stringify(this.#document.toJS());
      return true;
    } catch (error) {
      const [reason] = (error as Error).message.split("\n");
      this.problems.push({ key: "config", origin: this.#at(undefined), message: `not plain data: ${reason}` });
      return false;
    }
  }

  #readMap(map: YAMLMap, prefix: string): void {
    for (const { key: keyNode, value: valueNode } of map.items as { key: Node; value: Node | null }[]) {
      const ownName = String(isScalar(keyNode) ? keyNode.value : keyNode);
      const name = prefix + ownName;
      const origin = this.#at(keyNode.range?.[0]);
      const target = isAlias(valueNode) ? valueNode.resolve(this.#document) : valueNode;
      const key = ownName.includes(".") ? undefined : keyByPath.get(name);
      if (key !== undefined) {
        const value: unknown = valueNode?.toJS(this.#document) ?? null;
        const originInside = (inner: readonly PropertyKey[]): string =>
          this.#atPath([...name.split("."), ...inner]) ?? origin;
        this.given.push(givenValue(key, value, this.directory, { origin, originInside }));
      } else if (!configSections.has(name)) {
        this.problems.push({ key: name, value: this.#show(valueNode), origin, message: explainUnknown(name, prefix) });
      } else if (isMap(target)) {
        this.#readMap(target, `${name}.`);
      } else if (valueNode !== null && !(isScalar(target) && target.value === null)) {
        const message = `must be a mapping of ${namesIn(`${name}.`).join(", ")}`;
        this.problems.push({ key: name, value: this.#show(valueNode), origin, message });
      }
    }
  }

  #show(node: Node | null): string {
    return showValue(node?.toJS(this.#document) ?? null);
  }

  #atPath(path: readonly PropertyKey[]): string | undefined {
    const node: unknown = this.#document.getIn(path, true);
    return isNode(node) ? this.#at(node.range?.[0]) : undefined;
  }

  #at(offset: number | undefined): string {
    return offset === undefined
      ? `file ${this.shownPath}`
      : `file ${this.shownPath}:${this.#lines.linePos(offset).line}`;
  }
}

function explainUnknown(name: string, prefix: string): string {
  const refusal = refusedKeys.get(name);
  if (refusal !== undefined) return `cannot be configured: ${refusal}`;
  if (keyByPath.has(name) || configSections.has(name)) return "unknown key; write a section, and its keys inside it";
  const sibling = nearest(lastName(name), namesIn(prefix));
  const meant = sibling === undefined ? nearest(name, keyByPath.keys(), (path) => [lastName(path)]) : prefix + sibling;
  const where = prefix === "" ? "the keys" : `the keys of ${prefix.slice(0, -1)}`;
  return `unknown key; ${didYouMean(meant, `${where} are ${namesIn(prefix).join(", ")}`)}`;
}

/**
 * @param file the path as the user wrote it; relative ones start at `cwd`
 * @param origin what named the file, for the report
 */
export function readConfigFile(file: string, origin: string, cwd: string): Reading {
  const absolutePath = path.resolve(cwd, file);
  let text: string;
  try {
    text = readFileSync(absolutePath, "utf8");
  } catch (error) {
    const { message } = error as Error;
    return {
      given: [],
      problems: [{ key: "config", value: showValue(file), origin, message: `cannot be read: ${message}` }],
    };
  }
  const reader = new FileReader(text, file, path.dirname(absolutePath));
  reader.read();
  return reader;
}
