import { roomLoad } from "./room-load.ts";

export const { options, setup, run } = roomLoad("fanout");
export default run;
