import assert from "node:assert/strict";
import { test } from "node:test";
import { added, grid, KEPT_SECONDS, sampled, Series } from "../src/core/history.ts";

const value = (each: number) => each;

test("a value holds until the next one", () => {
  const series = new Series<number>();
  series.add(10.2, 5);
  series.add(13.5, 7);
  assert.deepEqual(sampled(series, grid(14.9, 5), value), [null, 5, 5, 5, 7, 7]);
});

test("while nobody knows there is no value, not the old one and not zero", () => {
  const series = new Series<number>();
  series.add(0, 5);
  series.add(2, null);
  series.add(4, 6);
  assert.deepEqual(sampled(series, [0, 1, 2, 3, 4], value), [5, null, null, 6, 6]);
});

test("what is older than the window goes, but for what holds at its beginning", () => {
  const series = new Series<number>();
  for (let second = 0; second <= KEPT_SECONDS * 3; second += 10) series.add(second, second);
  assert.ok(series.steps.length <= KEPT_SECONDS / 10 + 2);
  assert.ok(series.steps[0]!.t <= KEPT_SECONDS * 2);
  assert.equal(series.last, KEPT_SECONDS * 3);
});

test("sums leave out what is not known", () => {
  assert.deepEqual(added([[1, null, null], [2, 3, null]]), [3, 3, null]);
  assert.deepEqual(added([]), []);
});
