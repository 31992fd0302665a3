import { distance } from "fastest-levenshtein";

/** Lower case, letters and digits only: `max_request_line_bytes` and `maxRequestLineBytes` are the same word. */
const plain = (name: string): string => name.replace(/[^a-z0-9]/gi, "").toLowerCase();

/** As many edits as a slip makes: 1 in three letters, 3 in ten and more. */
const tolerance = (name: string): number => Math.min(3, Math.ceil(name.length * 0.3));

/**
 * The candidate that `name` was probably meant to be.
 * @param aliases further words a candidate may be called by, beside itself
 */
export function nearest(
  name: string,
  candidates: Iterable<string>,
  aliases: (candidate: string) => readonly string[] = () => [],
): string | undefined {
  const wanted = plain(name);
  let best: string | undefined;
  let bestEdits = tolerance(wanted) + 1;
  for (const candidate of candidates) {
    for (const word of [candidate, ...aliases(candidate)]) {
      const edits = distance(wanted, plain(word));
      if (edits < bestEdits) [best, bestEdits] = [candidate, edits];
    }
  }
  return best;
}

/** The end of a sentence: what was meant, or else `otherwise`. */
export function didYouMean(meant: string | undefined, otherwise: string): string {
  return meant === undefined ? otherwise : `did you mean ${meant}?`;
}
