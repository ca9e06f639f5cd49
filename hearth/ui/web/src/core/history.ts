// What was measured, as steps in time: a value holds until the next one. Pure.

export interface Step<T> {
  t: number;
  /** null: nobody knows, as while the line was down. */
  value: T | null;
}

export const KEPT_SECONDS = 300;

export class Series<T> {
  readonly steps: Step<T>[] = [];

  add(t: number, value: T | null): void {
    this.steps.push({ t, value });
    const oldest = t - KEPT_SECONDS;
    let drop = 0;
    // One step from before the window says what held at its beginning.
    while (drop + 1 < this.steps.length && this.steps[drop + 1]!.t <= oldest) drop += 1;
    if (drop) this.steps.splice(0, drop);
  }

  get last(): T | null {
    return this.steps.at(-1)?.value ?? null;
  }
}

/** Whole seconds up to `end`, oldest first. */
export function grid(end: number, seconds: number): number[] {
  const last = Math.floor(end);
  return Array.from({ length: seconds + 1 }, (_, index) => last - seconds + index);
}

/** The value that held at each of `times` (ascending); null before the first step. */
export function sampled<T>(series: Series<T> | undefined, times: number[], pick: (value: T) => number | null): (number | null)[] {
  const steps = series?.steps ?? [];
  let next = 0;
  let held: T | null = null;
  return times.map((time) => {
    while (next < steps.length && steps[next]!.t <= time + 1) held = steps[next++]!.value;
    return held === null ? null : pick(held);
  });
}

/** Sums column by column; null only where all are. */
export function added(columns: (number | null)[][]): (number | null)[] {
  const first = columns[0] ?? [];
  return first.map((_, index) => {
    const known = columns.map((column) => column[index] ?? null).filter((value) => value !== null);
    return known.length ? known.reduce((sum, value) => sum + value, 0) : null;
  });
}
