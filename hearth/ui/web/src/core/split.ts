// The split of traffic as somebody edits it. Pure: percents are whole and their sum stays 100.
import type { Wanted } from "../types.ts";

/** One percent set; the others share the rest in their old proportion. */
export function rebalanced(percents: readonly number[], index: number, value: number): number[] {
  if (percents.length === 1) return [100];
  const wanted = Math.round(Math.min(100, Math.max(0, value)));
  const rest = 100 - wanted;
  const others = percents.map((percent, at) => (at === index ? 0 : percent));
  const sum = others.reduce((total, percent) => total + percent, 0);
  if (sum === 0) {
    const heir = index === 0 ? 1 : 0;
    return percents.map((_, at) => (at === index ? wanted : at === heir ? rest : 0));
  }
  const exact = others.map((percent) => (percent * rest) / sum);
  const whole = exact.map(Math.floor);
  let missing = rest - whole.reduce((total, percent) => total + percent, 0);
  const byRemainder = exact
    .map((share, at) => ({ at, remainder: share - Math.floor(share) }))
    .filter(({ at }) => at !== index && others[at]! > 0)
    .sort((left, right) => right.remainder - left.remainder || left.at - right.at);
  for (const { at } of byRemainder) {
    if (missing-- > 0) whole[at]! += 1;
  }
  whole[index] = wanted;
  return whole;
}

export function percentsOf(wanted: readonly Wanted[]): number[] {
  return wanted.map((entry) => entry.percent ?? 0);
}

export function withPercents(wanted: readonly Wanted[], percents: readonly number[]): Wanted[] {
  return wanted.map((entry, index) => ({ ...entry, percent: percents[index] ?? 0 }));
}

/** Which entry this is, whatever its percent. */
export function entryKey(entry: Wanted): string {
  return `${entry.latestRevision ? "" : (entry.revisionName ?? "")}#${entry.tag ?? ""}`;
}

export function sameSplit(left: readonly Wanted[], right: readonly Wanted[]): boolean {
  const told = (entries: readonly Wanted[]) =>
    JSON.stringify(entries.map((entry) => [entryKey(entry), entry.percent ?? 0]));
  return told(left) === told(right);
}
