export const K6_VERSION: string;
/**
 * @param say told before a build, which takes minutes the first time
 * @returns the program: the project's own, else the one on the PATH if it is of this version, else a fresh build
 * @throws Error when there is none and Go, which builds it, is missing or fails; the message says how to get it
 */
export function ensureK6(say?: (line: string) => void): Promise<string>;
