/** `limpet reload`: tells a running node to start new workers with its app and configuration as they are now. */
import { request } from "node:http";
import { Command } from "commander";
import { isAnyHost } from "../lib/any-host.js";
import { addConfigOptions, loadFromCommand } from "./config-options.js";
import { CONFIG_HELP } from "./usage.js";

export function reloadCommand(): Command {
  const command = new Command("reload")
    .summary("start new workers in a running node, then drain the old ones")
    .description(
      "Tells the node at the ops port to start a full new set of workers, with the app and the configuration as they\n" +
        "are now. When all are ready, new sessions go to them only, and the old ones drain one by one. If one of them does not\n" +
        "become ready, the old workers stay, and this exits with 1 and the reason. SIGHUP does the same.",
    );
  return addConfigOptions(command)
    .addHelpText("after", CONFIG_HELP)
    .action(async () => {
      const { opsHost, opsPort } = loadFromCommand(command).config;
      const host = isAnyHost(opsHost) ? "127.0.0.1" : opsHost;
      process.stdout.write(`${await askForReload(host, opsPort)}\n`);
    });
}

/** @returns what the node says. Rejects with its reason where it does not reload */
function askForReload(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    // The header keeps pages of other origins from asking for it through somebody's browser.
    const asked = request(
      { host, port, path: "/reload", method: "POST", headers: { "X-Limpet-Reload": "1" } },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (chunk: string) => (text += chunk));
        answer.on("error", reject);
        answer.on("end", () => {
          if (answer.statusCode === 200) resolve(text.trim());
          else reject(Object.assign(new Error(text.trim()), { name: "StartError" }));
        });
      },
    );
    asked.on("error", reject);
    asked.end();
  });
}
