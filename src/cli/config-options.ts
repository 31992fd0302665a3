/** The flags of the commands that take a configuration, made from the schema, and what they load. */
import { Option, type Command } from "commander";
import type { FlagGroup } from "../config/key.js";
import { CONFIG_FLAG, CONFIG_VARIABLE, configKeys } from "../config/keys.js";
import { loadConfig, type LoadedConfig } from "../config/load-config.js";
import { processSources } from "../config/sources.js";

const GROUPS: readonly FlagGroup[] = ["App:", "Clients:", "Processes:", "Fleet:", "Operations:"];

/** Flags whose value may be left out, for anybody who reads the help. */
const BOOLEAN = /\[true\|false\]$/;

/**
 * Values are optional to the parser, so that a missing one, like an unknown flag or an argument too many, comes out in the
 * configuration's report together with everything else that is wrong. Help shows what is meant.
 */
function configOption(flag: string, placeholder: string, description: string, group: string): Option {
  return new Option(`${flag} [${placeholder}]`, description).helpGroup(group);
}

/** Adds the flags that every command with a configuration has. */
export function addConfigOptions(command: Command): Command {
  command.allowUnknownOption().allowExcessArguments();
  command.configureHelp({
    optionTerm: (option) => (BOOLEAN.test(option.flags) ? option.flags : option.flags.replace(/\[(.*)\]/, "<$1>")),
  });
  for (const group of GROUPS) {
    for (const { flag, flagName, description, defaultText, variable } of configKeys) {
      if (flag?.group !== group || flagName === undefined) continue;
      const text = `${description} (default: ${defaultText}; variable: ${variable})`;
      command.addOption(configOption(flagName, flag.placeholder, text, group));
    }
  }
  const description = `YAML or JSON file with these and all other settings (variable: ${CONFIG_VARIABLE})`;
  return command.addOption(configOption(CONFIG_FLAG, "file", description, "Configuration:"));
}

/**
 * The configuration that a command was started with.
 * @throws ConfigError with every problem found
 */
export function loadFromCommand(command: Command): LoadedConfig {
  const values: Record<string, string | true> = {};
  const parsed = command.opts<Record<string, unknown>>();
  for (const option of command.options) {
    const value = parsed[option.attributeName()];
    if (option.optional && option.long && (typeof value === "string" || value === true)) values[option.long] = value;
  }
  return loadConfig({ flags: { values, rest: command.args }, ...processSources() });
}
