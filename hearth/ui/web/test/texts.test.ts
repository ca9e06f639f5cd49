import assert from "node:assert/strict";
import { test } from "node:test";
import { age, clipped, duration, listed, many, rate, short } from "../src/core/format.ts";
import { eventHref, nodeHref, parsed, serviceHref, serviceOfUrl } from "../src/core/route.ts";
import { addresseeOf, labelOf } from "../src/parts/nodes.ts";

test("rates", () => assert.deepEqual([0, 0.02, 0.4, 9.96, 120.4, 1234, 43210].map(rate), ["0", "<0.1", "0.4", "10", "120", "1.2k", "43k"]));

test("lengths of time", () => {
  assert.deepEqual([null, 0, 0.0042, 0.062, 1.25, 12.34, 90].map(duration), ["–", "0 ms", "4.2 ms", "62 ms", "1.25 s", "12.3 s", "1 min"]);
  assert.deepEqual([-3, 59.9, 3599, 7200, 200000].map(age), ["0 s", "59 s", "59 min", "2 h", "2 d"]);
});

test("words", () => {
  assert.equal(many(1, "delivery", "deliveries"), "1 delivery");
  assert.equal(many(1200, "pod"), "1,200 pods");
  assert.equal(listed(["a", "b", "c"]), "a, b and c");
  assert.equal(short("hello-00003", "hello"), "00003");
  assert.equal(short("other-00003", "hello"), "other-00003");
  assert.equal(clipped("0123456789", 7), "0123…89");
});

test("addresses of the page lead back to what they were made of", () => {
  assert.deepEqual(parsed(serviceHref("a", "b/c d")), { view: "service", namespace: "a", name: "b/c d" });
  assert.deepEqual(parsed(nodeHref("broker default/default")), { view: "events", node: "broker default/default" });
  assert.deepEqual(parsed(eventHref("100%/#")), { view: "events", event: "100%/#" });
  for (const hash of ["", "#/", "#code", "#/service/a", "#/nowhere"]) assert.deepEqual(parsed(hash), { view: "services" });
  assert.deepEqual(parsed("#/events/node/%E0%A4%A"), { view: "events", node: "%E0%A4%A" });
});

test("nodes of events are called as people call them", () => {
  assert.equal(serviceOfUrl("http://orders.default.svc.cluster.local/in"), "default/orders");
  assert.equal(serviceOfUrl("https://example.com"), null);
  assert.deepEqual(labelOf({ kind: "sink", name: "http://orders.default.svc.cluster.local" }), { kind: "service", name: "orders" });
  assert.deepEqual(labelOf({ kind: "source", name: "/apis/v1/namespaces/shop/pingsources/tick" }), { kind: "pingsource", name: "shop/tick" });
  assert.deepEqual(labelOf({ kind: "sink", name: "https://ledger.example/in" }), { kind: "sink", name: "ledger.example/in" });
  const nodes = { "broker shop/hooks": { id: "", kind: "broker", name: "", ready: "True" as const, words: "" } };
  assert.equal(addresseeOf("http://127.0.0.1:1/shop/hooks", nodes), "broker shop/hooks");
  assert.equal(addresseeOf("http://127.0.0.1:1/shop/other", nodes), "http://127.0.0.1:1/shop/other");
  assert.equal(addresseeOf("http://orders.default.svc.cluster.local", nodes), "service default/orders");
});
