// Dead letters: events that somebody did not take, why, and delivering them again.
import { useState } from "preact/hooks";
import { Refused, write } from "../api.ts";
import { age, many, sentence } from "../core/format.ts";
import { eventHref, nodeHref } from "../core/route.ts";
import { Dialog } from "../parts/dialog.tsx";
import { say } from "../parts/toasts.tsx";
import { store, useSeconds, useStore } from "../store.ts";
import type { Letter } from "../types.ts";
import { Empty, matches, Title } from "./common.tsx";

const PAGE = 50;

interface Asked {
  id?: string;
  subscription?: string;
  discard: boolean;
  count: number;
}

export function Letters() {
  const { tables, me } = useStore();
  const now = useSeconds();
  const [filter, setFilter] = useState("");
  const [asked, setAsked] = useState<Asked | null>(null);
  const all = Object.values(tables.letters);
  const shown = all.filter((row) => matches(filter, row.subscription, row.event.type, row.event.id, row.event.source, row.error, row.words));
  const groups = bySubscription(shown);
  const reader = me?.role !== "writer";
  return (
    <>
      <Title>Dead letters</Title>
      <p class="quiet">Events that a subscriber did not take, after all its retries.{reader && <span id="reader-why"> {me?.words || "You may look, and not change anything."}</span>}</p>
      {!all.length && <Empty title="None. Everything was delivered, or is on its way." />}
      {all.length > 0 && (
        <div class="tools">
          <input data-filter type="search" placeholder="Filter by type, trigger, reason" aria-label="Filter dead letters" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
          <span class="found" role="status">{filter ? `${shown.length} of ${all.length}` : ""}</span>
        </div>
      )}
      {[...groups].map(([subscription, letters]) => (
        <Group key={subscription} subscription={subscription} letters={letters} now={now} reader={reader} onAsk={setAsked} />
      ))}
      {asked && <Sure asked={asked} onClose={() => setAsked(null)} />}
    </>
  );
}

interface GroupProps {
  subscription: string;
  letters: Letter[];
  now: number;
  reader: boolean;
  onAsk: (asked: Asked) => void;
}

function Group({ subscription, letters, now, reader, onAsk }: GroupProps) {
  const [most, setMost] = useState(PAGE);
  const held = letters.filter((letter) => letter.outcome === "held").length;
  const why = reader ? { disabled: true, "aria-describedby": "reader-why" } : {};
  return (
    <section class="letters" aria-label={subscription}>
      <div class="section-head">
        <h2><a href={nodeHref(subscription)}>{subscription}</a></h2>
        <span class="quiet">{many(letters.length, "letter")}</span>
        {held > 0 && (
          <div class="buttons push">
            <button class="button small" {...why} onClick={() => onAsk({ subscription, discard: false, count: held })}>Deliver all again</button>
            <button class="button small" {...why} onClick={() => onAsk({ subscription, discard: true, count: held })}>Discard all</button>
          </div>
        )}
      </div>
      <ul class="plain">
        {letters.slice(0, most).map((letter) => (
          <LetterLine key={letter.id} letter={letter} now={now} why={why} onAsk={onAsk} />
        ))}
      </ul>
      {letters.length > most && <button class="button small" onClick={() => setMost(most + PAGE)}>Show {Math.min(PAGE, letters.length - most)} more</button>}
    </section>
  );
}

interface LetterProps {
  letter: Letter;
  now: number;
  why: object;
  onAsk: (asked: Asked) => void;
}

function LetterLine({ letter, now, why, onAsk }: LetterProps) {
  const ask = (discard: boolean) => onAsk({ id: letter.event.id, subscription: letter.subscription, discard, count: 1 });
  return (
    <li class="letter">
      <span class="item-head">
        <a class="mono" data-line href={eventHref(letter.event.id)}><b>{letter.event.type}</b></a>
        <span class="quiet mono clip">{letter.event.id}</span>
        <span class={letter.outcome === "held" ? "chip warm" : "chip"}>{letter.outcome}</span>
        <span class="quiet push">{letter.at === null ? "" : `${age(now - letter.at)} ago`}</span>
      </span>
      <span class="item-head">
        <span class="why bad">{sentence(letter.words || letter.error)}</span>
        {!letter.words.includes(letter.sink) && <span class="quiet mono clip">{letter.sink}</span>}
        {letter.outcome === "held" && (
          <span class="buttons push">
            <button class="button small" {...why} onClick={() => ask(false)} aria-label={`Deliver ${letter.event.id} again`}>Deliver again</button>
            <button class="button small" {...why} onClick={() => ask(true)} aria-label={`Discard ${letter.event.id}`}>Discard</button>
          </span>
        )}
      </span>
    </li>
  );
}

function Sure({ asked, onClose }: { asked: Asked; onClose: () => void }) {
  const what = asked.count === 1 ? "this event" : `these ${asked.count} events`;
  const send = () => void redrive(asked);
  return asked.discard ? (
    <Dialog title={`Discard ${what}?`} yes="Discard" grave onYes={send} onClose={onClose}>
      <p>{asked.subscription} never gets {asked.count === 1 ? "it" : "them"}. This cannot be undone.</p>
    </Dialog>
  ) : (
    <Dialog title={`Deliver ${what} again?`} yes="Deliver again" onYes={send} onClose={onClose}>
      <p>{asked.subscription} gets {asked.count === 1 ? "it" : "them"} once more, with all its retries. What it does not take comes back here.</p>
    </Dialog>
  );
}

async function redrive({ id, subscription, discard }: Asked): Promise<void> {
  try {
    const answer = await write<{ words: string }>("/api/redrive", { ...(id ? { id } : {}), ...(subscription ? { subscription } : {}), discard });
    say(answer.words || (discard ? "Discarded." : "On the way again."));
  } catch (error) {
    say((error as Refused).message, { bad: true });
  }
  store.changed();
}

function bySubscription(letters: Letter[]): Map<string, Letter[]> {
  const groups = new Map<string, Letter[]>();
  const newest = [...letters].sort((left, right) => (right.at ?? 0) - (left.at ?? 0));
  for (const letter of newest) groups.set(letter.subscription, [...(groups.get(letter.subscription) ?? []), letter]);
  return groups;
}
