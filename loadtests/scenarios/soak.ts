import { roomLoad } from "./room-load.ts";

export const { options, setup, run } = roomLoad("soak");
export default run;
