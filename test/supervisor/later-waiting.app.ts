/** An app that never says it has started while the file named by WAITING_FILE exists. */
import { existsSync } from "node:fs";

export default async (): Promise<void> => {
  if (existsSync(process.env["WAITING_FILE"] ?? "")) await new Promise(() => undefined);
};
