import { roomLoad } from "./room-load.ts";

export const { options, setup, run } = roomLoad("polling");
export default run;
