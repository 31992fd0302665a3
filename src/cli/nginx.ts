/** `limpet nginx`: the configuration of an nginx in front of a fleet, made from the configuration its nodes run with. */
import { writeFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { Command, Option } from "commander";
import { CONFIG_FLAG, CONFIG_VARIABLE } from "../config/keys.js";
import { loadConfig, type LoadedConfig } from "../config/load-config.js";
import { ConfigError, showValue, type Problem } from "../config/problem.js";
import { processSources } from "../config/sources.js";
import { MAX_NODES } from "../routing/address.js";
import { enginePathOf } from "../routing/request-line.js";
import { nginxConfig, type FleetNode, type NginxOptions } from "./nginx-config.js";

interface Options {
  readonly node?: readonly string[];
  readonly workers?: string;
  readonly slotPorts?: string;
  readonly listen?: string;
  readonly serverName: string;
  readonly path?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly out?: string;
  readonly full?: true;
  readonly config?: string;
}

const DEFAULT_NODE = "0=127.0.0.1:3000";
const HELP = `
The ids must be fixed: start each node with the --node-id that stands here, not with one leased from Redis.

Examples:
  $ limpet nginx > /etc/nginx/conf.d/limpet.conf
  $ limpet nginx --node 0=10.0.0.1:3000 --node 1=10.0.0.2:3000 --workers 4 --server-name chat.example.org
  $ limpet nginx --full --tls-cert /etc/ssl/chat.pem --tls-key /etc/ssl/chat.key --out nginx.conf`;

export function nginxCommand(): Command {
  const command = new Command("nginx")
    .summary("print an nginx configuration for a fleet")
    .description(
      "Prints the configuration of an nginx in front of one or more nodes: it sends each request to the worker " +
        "that holds its session, and new sessions to the node with the fewest connections. " +
        "Time-outs, body size and path follow the nodes' configuration: give the same file and variables.",
    )
    .addOption(
      new Option("--node <id=host:port>", `a node and its clients' port; once for each (default: ${DEFAULT_NODE})`)
        .argParser((value: string, nodes: readonly string[] | undefined) => [...(nodes ?? []), value])
        .helpGroup("Fleet:"),
    )
    .addOption(
      new Option("--workers <number>", "worker processes of a node (default: the nodes' configuration)").helpGroup(
        "Fleet:",
      ),
    )
    .addOption(
      new Option(
        "--slot-ports <number>",
        "first port of the workers' own; of every node alike (default: the nodes' configuration)",
      ).helpGroup("Fleet:"),
    )
    .addOption(new Option("--path <path>", "Socket.IO's path (default: the nodes' configuration)").helpGroup("Fleet:"))
    .addOption(
      new Option(
        "--listen <address>",
        "what nginx listens on: port or address:port (default: 80, with TLS 443)",
      ).helpGroup("Clients:"),
    )
    .addOption(new Option("--server-name <names>", "host names it answers to").default("_").helpGroup("Clients:"))
    .addOption(new Option("--tls-cert <file>", "certificate chain; nginx then speaks TLS").helpGroup("Clients:"))
    .addOption(new Option("--tls-key <file>", "the certificate's key").helpGroup("Clients:"))
    .addOption(
      new Option("--full", "print a whole nginx.conf instead of a file for its http block").helpGroup("Output:"),
    )
    .addOption(new Option("--out <file>", "write to a file instead of standard output").helpGroup("Output:"))
    .addOption(
      new Option("--config <file>", `the nodes' configuration file (variable: ${CONFIG_VARIABLE})`).helpGroup(
        "Configuration:",
      ),
    )
    .addHelpText("after", HELP);
  return command.action((options: Options) => {
    const text = nginxConfig(readOptions(options));
    if (options.out === undefined) process.stdout.write(text);
    else writeFileSync(options.out, text);
  });
}

/** @throws ConfigError with every problem found */
function readOptions(options: Options): NginxOptions {
  const problems: Problem[] = [];
  const nodes = readNodes(options.node ?? [DEFAULT_NODE], problems);
  for (const { flag, value, pattern, allowed } of [
    { flag: "--listen", value: options.listen, pattern: LISTEN, allowed: "a port, host:port, or [IPv6 address]:port" },
    {
      flag: "--server-name",
      value: options.serverName,
      pattern: SERVER_NAMES,
      allowed: "host names with blanks between them",
    },
    {
      flag: "--path",
      value: options.path,
      pattern: PATH,
      allowed: "a path that begins with / and is longer than that, without blanks, ? and #",
    },
    {
      flag: "--tls-cert",
      value: options.tlsCert,
      pattern: FILE,
      allowed: "the path of a file, without $ and line breaks",
    },
    {
      flag: "--tls-key",
      value: options.tlsKey,
      pattern: FILE,
      allowed: "the path of a file, without $ and line breaks",
    },
  ]) {
    if (value !== undefined && !pattern.test(value)) problems.push(problem(flag, value, `must be ${allowed}`));
  }
  const { tlsCert, tlsKey } = options;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    const [given, missing] = tlsCert === undefined ? ["--tls-key", "--tls-cert"] : ["--tls-cert", "--tls-key"];
    problems.push(problem(given, tlsCert ?? tlsKey ?? "", `needs ${missing} beside it`));
  }
  const loaded = loadNodesConfig(options, problems);
  if (loaded === undefined || problems.length > 0) throw new ConfigError(problems);
  const { socketio, http, workers, slotPorts } = loaded.config;
  return {
    nodes,
    workers,
    slotPorts,
    listen: options.listen ?? (tlsCert === undefined ? "80" : "443"),
    serverName: options.serverName,
    enginePath: enginePathOf(options.path ?? socketio.path),
    ...(tlsCert === undefined || tlsKey === undefined ? {} : { tls: { certificate: tlsCert, key: tlsKey } }),
    pingIntervalMs: socketio.pingInterval,
    pingTimeoutMs: socketio.pingTimeout,
    maxHttpBufferBytes: socketio.maxHttpBufferSize,
    gatewayKeepAliveMs: http.keepAliveTimeoutMs,
    full: options.full === true,
  };
}

const HOST = String.raw`(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])`;
const PORT = "(?:6553[0-5]|655[0-2]\\d|65[0-4]\\d\\d|6[0-4]\\d{3}|[1-5]\\d{4}|[1-9]\\d{0,3})";
const LISTEN = new RegExp(String.raw`^(?:(?:\*|${HOST}):)?${PORT}$`);
const ADDRESS = new RegExp(String.raw`^(${HOST}):${PORT}$`);
const SERVER_NAMES = /^[\w.*-]+(?: +[\w.*-]+)*$/;
const PATH = /^\/[^\s?#\p{Cc}]*[^\s?#/\p{Cc}]\/?$/u;
const FILE = /^[^$\p{Cc}]+$/u;

function readNodes(values: readonly string[], problems: Problem[]): FleetNode[] {
  const nodes = new Map<number, FleetNode>();
  for (const value of values) {
    const [, number = "", address = ""] = /^(\d{1,4})=(.+)$/.exec(value) ?? [];
    const id = Number(number);
    if (number === "" || id >= MAX_NODES || !isAddress(address)) {
      const allowed = `must be ID=HOST:PORT, with a node's number from 0 to ${MAX_NODES - 1}, as in ${DEFAULT_NODE}`;
      problems.push(problem("--node", value, allowed));
    } else if (nodes.has(id)) problems.push(problem("--node", value, `another node has the number ${id}`));
    else nodes.set(id, { id, address });
  }
  return [...nodes.values()];
}

function isAddress(address: string): boolean {
  const [, host] = ADDRESS.exec(address) ?? [];
  return host !== undefined && (!host.startsWith("[") || isIPv6(host.slice(1, -1)));
}

function loadNodesConfig({ config, workers, slotPorts }: Options, problems: Problem[]): LoadedConfig | undefined {
  const values = {
    ...(config === undefined ? {} : { [CONFIG_FLAG]: config }),
    ...(workers === undefined ? {} : { "--workers": workers }),
    ...(slotPorts === undefined ? {} : { "--slot-ports": slotPorts }),
  };
  try {
    return loadConfig({ flags: { values, rest: [] }, ...processSources() });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

function problem(flag: string, value: string, message: string): Problem {
  return { key: flag, value: showValue(value), origin: `flag ${flag}`, message };
}
