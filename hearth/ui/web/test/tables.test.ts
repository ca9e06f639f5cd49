import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyTables, ofSnapshot, withDelta } from "../src/core/tables.ts";
import type { Note } from "../src/types.ts";

test("rows come whole and go by null; what did not change stays the same object", () => {
  const first = ofSnapshot({ at: 1, me: { role: "writer", place: "", version: "", gateway: "" }, tables: { notes: { a: { words: "x" }, b: { words: "y" } } } });
  const next = withDelta(first, { at: 2, rows: { notes: { a: null, c: { words: "z" } } } });
  assert.deepEqual(Object.keys(next.notes), ["b", "c"]);
  assert.equal(next.notes["b"], first.notes["b"]);
  assert.equal(next.pods, first.pods);
});

test("a table that this page does not know is left out", () => {
  const rows = { strange: { a: { words: "x" } as Note } };
  assert.deepEqual(withDelta(emptyTables(), { at: 1, rows: rows as object }), emptyTables());
});
