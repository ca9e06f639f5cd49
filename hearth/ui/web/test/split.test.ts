import assert from "node:assert/strict";
import { test } from "node:test";
import { percentsOf, rebalanced, sameSplit, withPercents } from "../src/core/split.ts";

const sum = (numbers: number[]) => numbers.reduce((total, each) => total + each, 0);

test("the others share the rest in their old proportion", () => {
  assert.deepEqual(rebalanced([80, 20], 1, 35), [65, 35]);
  assert.deepEqual(rebalanced([60, 30, 10], 2, 55), [30, 15, 55]);
});

test("a rest that does not divide goes to the largest remainders", () => {
  assert.deepEqual(rebalanced([34, 33, 33], 0, 33), [33, 34, 33]);
});

test("where the others have nothing the first of them gets the rest", () => {
  assert.deepEqual(rebalanced([100, 0, 0], 0, 70), [70, 30, 0]);
  assert.deepEqual(rebalanced([0, 100, 0], 1, 40), [60, 40, 0]);
});

test("one alone has all", () => assert.deepEqual(rebalanced([100], 0, 10), [100]));

test("whatever is asked: whole, none below zero, a hundred in all", () => {
  let seed = 7;
  const chance = (most: number) => (seed = (seed * 16807) % 2147483647) % most;
  for (let round = 0; round < 2000; round += 1) {
    const length = 2 + chance(5);
    let percents = rebalanced(Array.from({ length }, () => chance(100)), 0, chance(101));
    percents = rebalanced(percents, chance(length), chance(160) - 30);
    assert.equal(sum(percents), 100);
    assert.ok(percents.every((each) => Number.isInteger(each) && each >= 0));
  }
});

test("a missing percent is none, and tags tell entries apart", () => {
  const wanted = [{ revisionName: "a", percent: 100 }, { revisionName: "a", tag: "canary" }];
  assert.deepEqual(percentsOf(wanted), [100, 0]);
  assert.ok(sameSplit(wanted, withPercents(wanted, [100, 0])));
  assert.ok(!sameSplit(wanted, withPercents(wanted, [99, 1])));
  assert.ok(!sameSplit([{ latestRevision: true, percent: 100 }], [{ revisionName: "a", percent: 100 }]));
});
