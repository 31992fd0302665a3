// The configuration's tables, from the schema.
import { CONFIG_FLAG, CONFIG_VARIABLE, configKeys } from "../dist/config/keys.js";
import { refusedKeys } from "../dist/config/socketio-schema.js";

const code = (text) => `\`${text}\``;
const cell = (text) => text.replaceAll("|", "\\|");
const table = (head, rows) =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.map(cell).join(" | ")} |`).join("\n");

/** Defaults that are values stand as code, those that are words do not. */
const fallback = ({ defaultText }) => (/^[^ ]*$|^[[{"]/.test(defaultText) ? code(defaultText) : defaultText);

const isSocketIo = ({ path }) => path.startsWith("socketio.");
const configRow = ["", code(CONFIG_VARIABLE), code(CONFIG_FLAG), "the path of a YAML or JSON file", "", "The file."];

const limpetTable = () =>
  table(
    ["Key in the file", "Variable", "Flag", "Allowed", "Default", "Meaning"],
    [
      configRow,
      ...configKeys
        .filter((key) => !isSocketIo(key))
        .map((key) => [
          code(key.path),
          code(key.variable),
          key.flagName ? code(key.flagName) : "",
          key.allowed,
          fallback(key),
          key.description,
        ]),
    ],
  );

const socketioTable = () =>
  table(
    ["Key in the file", "Variable", "Allowed", "Default", "Meaning"],
    configKeys
      .filter(isSocketIo)
      .map((key) => [code(key.path), code(key.variable), key.allowed, fallback(key), key.description]),
  );

const refusedTable = () =>
  table(
    ["Option", "Why it is refused"],
    [...refusedKeys].map(([path, reason]) => [code(path.replace("socketio.", "")), reason]),
  );

const flagTable = () =>
  table(
    ["Flag", "Variable", "Key in the file", "Default", "Meaning"],
    [
      ...configKeys
        .filter((key) => key.flagName)
        .map((key) => [code(key.flagName), code(key.variable), code(key.path), fallback(key), key.description]),
      [code(CONFIG_FLAG), code(CONFIG_VARIABLE), "", "", "YAML or JSON file with these and all other settings."],
    ],
  );

export const blocks = [
  { file: "docs/configuration.md", name: "keys", render: limpetTable },
  { file: "docs/configuration.md", name: "socketio", render: socketioTable },
  { file: "docs/configuration.md", name: "refused", render: refusedTable },
  { file: "README.md", name: "configuration", render: flagTable },
];
