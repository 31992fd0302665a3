/** Reads the `LIMPET_*` variables. An empty one counts as not set. */
import { givenText, type Given, type Reading } from "./given.js";
import { CONFIG_VARIABLE, configKeys, variableOf } from "./keys.js";
import { didYouMean, nearest } from "./near-miss.js";
import { showValue, type Problem } from "./problem.js";
import { refusedKeys } from "./socketio-schema.js";

export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = "LIMPET_";
const keyByVariable = new Map(configKeys.map((key) => [key.variable, key]));
const refusalByVariable = new Map([...refusedKeys].map(([path, reason]) => [variableOf(path), reason]));

/**
 * Kubernetes (and Docker's links) put the address of a service named `limpet` or `limpet-…` into the environment of every container,
 * LIMPET_PORT=tcp://10.0.0.1:3000 among it. Such a variable is not a setting, whatever its name.
 */
function isServiceLink(name: string, value: string): boolean {
  if (/_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)$/.test(name)) return true;
  return /_PORT(_\d+_(TCP|UDP|SCTP))?$/.test(name) && /^(tcp|udp|sctp):\/\//.test(value);
}

export function readEnvironment(environment: Environment, cwd: string): Reading {
  const given: Given[] = [];
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || name === CONFIG_VARIABLE || value === undefined || value === "") continue;
    if (isServiceLink(name, value)) continue;
    const key = keyByVariable.get(name);
    if (key !== undefined) given.push(givenText(key, value, `variable ${name}`, cwd));
    else problems.push({ key: name, value: showValue(value), origin: "environment", message: explainUnknown(name) });
  }
  return { given, problems };
}

function explainUnknown(name: string): string {
  const refusal = refusalByVariable.get(name);
  if (refusal !== undefined) return `cannot be configured: ${refusal}`;
  const names = [...keyByVariable.keys(), CONFIG_VARIABLE];
  const withoutPrefix = (variable: string): string => variable.slice(PREFIX.length);
  const outer = names.find((variable) => name.startsWith(`${variable}_`));
  const near = nearest(withoutPrefix(name), names.map(withoutPrefix));
  const meant = near === undefined ? outer : PREFIX + near;
  return `unknown variable; ${didYouMean(meant, "docs/configuration.md lists them all, `limpet check` prints the keys")}`;
}
