// One Service: where its requests go now, and what may be done about it.
import { useMemo, useState } from "preact/hooks";
import { age, many, short } from "../core/format.ts";
import { colours } from "../core/lanes.ts";
import { Copy } from "../parts/copy.tsx";
import { Icon } from "../parts/icons.tsx";
import { State } from "../parts/state.tsx";
import { useSeconds, useStore } from "../store.ts";
import type { Revision, Service } from "../types.ts";
import { Charts } from "./charts.tsx";
import { Empty, Title } from "./common.tsx";
import { Explain } from "./explain.tsx";
import { Logs } from "./logs.tsx";
import { Pods } from "./pods.tsx";
import { Traffic } from "./traffic.tsx";

export function ServiceView({ namespace, name }: { namespace: string; name: string }) {
  const { tables } = useStore();
  const now = useSeconds();
  const [pod, setPod] = useState("");
  const row = tables.services[`${namespace}/${name}`];
  const of = <T extends { namespace: string; service: string }>(rows: Record<string, T>) =>
    Object.values(rows).filter((each) => each.namespace === namespace && each.service === name);
  const revisions = useMemo(() => of(tables.revisions).sort((left, right) => right.number - left.number), [tables.revisions]);
  const rates = useMemo(() => of(tables.rates), [tables.rates]);
  const pods = useMemo(() => of(tables.pods), [tables.pods]);
  if (!row) return <Gone name={name} />;
  const palette = colours(row, revisions);
  return (
    <>
      <Head row={row} now={now} />
      <Traffic row={row} rates={rates} revisions={revisions} pods={pods} palette={palette} />
      <Charts row={row} revisions={revisions} palette={palette} now={now} />
      <div class="two">
        <section aria-labelledby="pods-title">
          <h2 id="pods-title">Pods</h2>
          <Pods row={row} pods={pods} palette={palette} now={now} onLogs={setPod} />
          <Explain namespace={namespace} name={name} />
        </section>
        <Revisions row={row} revisions={revisions} now={now} />
      </div>
      <Logs key={pod} namespace={namespace} service={name} pod={pod} onAll={() => setPod("")} />
    </>
  );
}

function Head({ row, now }: { row: Service; now: number }) {
  return (
    <header class="service-head">
      <a class="up" href="#/" data-up>
        <Icon name="back" />
        Services
      </a>
      <div class="title-line">
        <Title arrived={row.name}>{row.name}</Title>
        <span class="where">{row.namespace}</span>
        <State row={row} />
      </div>
      <p class="service-url">
        {row.url ? (
          <>
            <a href={row.url} target="_blank" rel="noreferrer">{row.url}</a>
            <Copy text={row.url} what="the URL" />
          </>
        ) : (
          "It has no URL yet."
        )}
        {row.created !== null && <span class="quiet">made {age(now - row.created)} ago</span>}
      </p>
    </header>
  );
}

function Revisions({ row, revisions, now }: { row: Service; revisions: Revision[]; now: number }) {
  return (
    <section aria-labelledby="revisions-title">
      <h2 id="revisions-title">Revisions</h2>
      <ul class="plain">
        {revisions.map((each) => (
          <li key={each.name}>
            <span class="item-head">
              <b class="mono">{short(each.name, row.name)}</b>
              <State row={each} />
              <span class="quiet push">{each.created === null ? "" : `${age(now - each.created)} ago`}</span>
            </span>
            <span class="quiet mono clip" title={each.image}>{each.image}</span>
            <span class="quiet">{scaleWords(each)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function scaleWords(row: Revision): string {
  const pods = row.actual === null ? "" : `${many(row.actual, "pod")}${row.desired !== null && row.desired !== row.actual ? `, ${row.desired} wanted` : ""}`;
  const limit = row.limit ? `${many(row.limit, "request")} at once each` : "no limit of requests at once";
  const bounds = row.min || row.max ? `${row.min ?? 0} to ${row.max || "any number of"} pods` : "";
  return [pods, limit, bounds].filter(Boolean).join(" · ");
}

function Gone({ name }: { name: string }) {
  return (
    <>
      <Title>{name}</Title>
      <Empty title="There is no Service of this name (any more).">
        <p>
          <a href="#/" data-up>Back to all Services</a>
        </p>
      </Empty>
    </>
  );
}
