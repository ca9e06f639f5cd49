import assert from "node:assert/strict";
import { test } from "node:test";
import { layout, withoutCycles, type Link } from "../src/core/layout.ts";

const M = { width: 100, height: 40, gapX: 50, gapY: 10 };
const link = (text: string): Link => ({ from: text[0]!, to: text[1]! });

test("from left to right, as events go", () => {
  const { spots, width } = layout(["s", "b", "t", "x"], ["sb", "bt", "tx"].map(link), M);
  assert.deepEqual(["s", "b", "t", "x"].map((id) => spots.get(id)!.rank), [0, 1, 2, 3]);
  assert.equal(width, 4 * 150 - 50);
});

test("a reply that leads back moves nothing", () => {
  const { spots } = layout(["s", "b", "t"], ["sb", "bt", "tb"].map(link), M);
  assert.equal(spots.get("b")!.rank, 1);
  assert.equal(spots.get("t")!.rank, 2);
});

test("a circle without a beginning is drawn all the same", () => {
  const links = ["ab", "bc", "ca"].map(link);
  assert.equal(withoutCycles(["a", "b", "c"], links).length, 2);
  assert.equal(layout(["a", "b", "c"], links, M).spots.size, 3);
});

test("links to what is not there, and to itself, are left out", () => {
  assert.deepEqual([...layout(["a"], ["aa", "ax"].map(link), M).spots.keys()], ["a"]);
});

test("no two nodes overlap, none stands outside", () => {
  const ids = Array.from({ length: 30 }, (_, at) => String.fromCharCode(65 + at));
  const links = ids.flatMap((from, at) => [1, 3, 7].map((step) => ({ from, to: ids[(at * step + step) % 30]! })));
  const { spots, height } = layout(ids, links, M);
  const all = [...spots.values()];
  for (const one of all) {
    assert.ok(one.y >= 0 && one.y + M.height <= height + 0.01);
    for (const other of all) if (one !== other && one.rank === other.rank) assert.ok(Math.abs(one.y - other.y) >= M.height);
  }
});

test("nothing has a place, too", () => assert.equal(layout([], [], M).spots.size, 0));
