import assert from "node:assert/strict";
import { test } from "node:test";
import { colours, lanesOf, speed } from "../src/core/lanes.ts";
import type { Rate, Revision, Service } from "../src/types.ts";

const service = (more: Partial<Service>): Service => ({
  namespace: "default", name: "hello", url: "", ready: "True", words: "", created: 0, generation: 1,
  latest: "hello-00002", traffic: [], wanted: [], ...more,
});
const revision = (name: string, actual = 0) => ({ namespace: "default", name, service: "hello", number: 1, actual }) as Revision;
const rate = (name: string, rps: number) => ({ namespace: "default", revision: name, service: "hello", rps, active: 0 }) as Rate;

test("nothing written: all to the latest", () => {
  const [lane] = lanesOf(service({ traffic: [{ revision: "hello-00002", percent: 100, latest: true }] }), [], []);
  assert.equal(lane!.revision, "hello-00002");
  assert.equal(lane!.latest, true);
  assert.equal(lane!.percent, 100);
});

test("what is written stands beside what is", () => {
  const lanes = lanesOf(
    service({
      wanted: [{ revisionName: "hello-00001", percent: 50 }, { latestRevision: true, percent: 50, tag: "next" }],
      traffic: [{ revision: "hello-00001", percent: 100 }, { revision: "hello-00002", percent: 0, tag: "next", url: "http://next-hello" }],
    }),
    [rate("hello-00001", 3)],
    [],
  );
  assert.deepEqual(lanes.map((lane) => [lane.percent, lane.rate?.rps, lane.url]), [[100, 3, ""], [0, undefined, "http://next-hello"]]);
});

test("a revision that left the split and still works is shown", () => {
  const lanes = lanesOf(service({}), [rate("hello-00001", 2)], [revision("hello-00002"), revision("hello-00001")]);
  assert.deepEqual(lanes.map((lane) => [lane.revision, lane.index]), [["hello-00002", 0], ["hello-00001", null]]);
});

test("two tags of one revision count its requests once", () => {
  const wanted = [{ revisionName: "hello-00001", percent: 100 }, { revisionName: "hello-00001", tag: "a", percent: 0 }];
  assert.deepEqual(lanesOf(service({ wanted }), [rate("hello-00001", 2)], []).map((lane) => lane.rate?.rps), [2, undefined]);
});

test("a colour stays a revision's own", () => {
  const palette = colours(service({ traffic: [{ revision: "b", percent: 100 }] }), [revision("a"), revision("b")]);
  assert.deepEqual([...palette], [["b", 1], ["a", 2]]);
});

test("more requests run faster, to a limit", () => {
  assert.deepEqual([0, 0.2, 5, 50, 500, 1e6].map(speed), [0, 1, 2, 3, 5, 5]);
});
