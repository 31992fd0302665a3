import { roomLoad } from "./room-load.ts";

export const { options, setup, run } = roomLoad("smoke");
export default run;
