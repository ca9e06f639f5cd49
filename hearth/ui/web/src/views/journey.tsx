// The journey of one event: where it was, who got it, who did not and why, and the replies.
import { useEffect, useState } from "preact/hooks";
import { ask, type Refused } from "../api.ts";
import { clock, duration } from "../core/format.ts";
import { eventHref } from "../core/route.ts";
import { Copy } from "../parts/copy.tsx";
import { Icon } from "../parts/icons.tsx";
import { Mark, type Health } from "../parts/state.tsx";
import type { Attempt, Journey, Leg, Trace } from "../types.ts";
import { Title } from "./common.tsx";

export function JourneyView({ id }: { id: string }) {
  const [trace, setTrace] = useState<Trace | null>(null);
  const [words, setWords] = useState("Looking for it…");
  const load = () =>
    ask<Trace>("/api/trace", { id }).then(
      (answer) => (setTrace(answer), setWords(answer.journeys.length ? "" : nothing(answer))),
      (error: Refused) => setWords(error.message),
    );
  useEffect(() => void load(), [id]);
  const first = trace?.journeys[0];
  return (
    <>
      <a class="up" href="#/events" data-up>
        <Icon name="back" />
        Events
      </a>
      <div class="section-head">
        <Title arrived={id}>{first ? first.attributes.type : "Event"}</Title>
        <button class="button small push" onClick={load}>Look again</button>
      </div>
      <p class="service-url">
        <span class="mono">{id}</span>
        <Copy text={id} what="the ID" />
      </p>
      <p class="quiet" role="status">{words}</p>
      {trace?.journeys.map((journey) => <Stop key={`${journey.place} ${journey.arrivedAt} ${journey.attributes.id}`} journey={journey} />)}
    </>
  );
}

function nothing(trace: Trace): string {
  return trace.kept ? "No broker or channel has had an event of this ID, as far back as journeys are kept." : "Journeys are switched off (event-journeys in config-features).";
}

const SHOWN_FIRST = ["id", "type", "source", "subject", "time"];

function Stop({ journey }: { journey: Journey }) {
  const matched = journey.subscriptions.filter((leg) => leg.matched);
  const missed = journey.subscriptions.filter((leg) => !leg.matched);
  const names = Object.keys(journey.attributes).sort((left, right) => rank(left) - rank(right));
  const start = Date.parse(journey.arrivedAt) / 1000;
  return (
    <section class="stop" aria-label={`${journey.attributes.type} at ${journey.place}`}>
      <div class="section-head">
        <h2><small>{journey.place.split(" ")[0]}</small> {journey.place.split(" ")[1]}</h2>
        <span class="quiet push mono">{clock(start)}</span>
      </div>
      <dl class="attributes">
        {names.map((name) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="mono">{journey.attributes[name]}</dd>
          </div>
        ))}
      </dl>
      <ul class="legs">
        {matched.map((leg) => <LegLine key={leg.name} leg={leg} start={start} />)}
        {!matched.length && <li class="quiet">Nobody wanted it.</li>}
      </ul>
      {missed.length > 0 && (
        <details>
          <summary>{missed.length} did not match</summary>
          <ul class="plain small">
            {missed.map((leg) => (
              <li key={leg.name}>
                <b>{leg.name}</b> <span class="quiet">{[leg.clause, leg.reason].filter(Boolean).join(": ")}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

const rank = (name: string) => (SHOWN_FIRST.indexOf(name) + 1 || 99);

function LegLine({ leg, start }: { leg: Leg; start: number }) {
  const outcome = leg.outcome ?? "on its way";
  return (
    <li class="leg">
      <span class="item-head">
        <Mark health={healthOfOutcome(outcome)} word="" />
        <b>{leg.name}</b>
        <span>{outcome}</span>
      </span>
      <ol class="attempts">
        {(leg.attempts ?? []).map((attempt) => (
          <li key={`${attempt.at}${attempt.number}`}>{attemptWords(attempt, start)}</li>
        ))}
        {(leg.replies ?? []).map((reply) => (
          <li key={reply.id}>
            <span class="mono">+{(Date.parse(reply.at) / 1000 - start).toFixed(3)} s</span> answered with <a href={eventHref(reply.id)}>{reply.type}</a>
          </li>
        ))}
      </ol>
    </li>
  );
}

function healthOfOutcome(outcome: string): Health {
  if (outcome === "delivered") return "good";
  return /held|dead|drop|fail|expired|refused/.test(outcome) ? "bad" : "wait";
}

function attemptWords(attempt: Attempt, start: number) {
  const how = attempt.error || (attempt.status === null ? "no answer" : `${attempt.status}`);
  return (
    <>
      <span class="mono">+{(Date.parse(attempt.at) / 1000 - start).toFixed(3)} s</span> attempt {attempt.number}:{" "}
      <b class={attempt.status !== null && attempt.status < 300 ? "" : "bad-word"}>{how}</b> after {duration(attempt.seconds)} <span class="quiet mono clip">{attempt.url}</span>
      {attempt.retryAt && <span class="quiet"> again at {clock(Date.parse(attempt.retryAt) / 1000)}</span>}
    </>
  );
}
