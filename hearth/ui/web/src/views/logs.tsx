// What the pods write, as they write it. Closed while nobody looks.
import { useEffect, useRef, useState } from "preact/hooks";
import { many } from "../core/format.ts";
import { matches } from "./common.tsx";

interface LogLine {
  id: number;
  pod: string;
  text: string;
}

interface Props {
  namespace: string;
  service: string;
  pod: string;
  onAll: () => void;
}

const KEPT = 1000;

export function Logs({ namespace, service, pod, onAll }: Props) {
  const [open, setOpen] = useState(pod !== "");
  const section = useRef<HTMLElement>(null);
  useEffect(() => {
    if (pod) section.current?.scrollIntoView({ block: "nearest" });
  }, [pod]);
  return (
    <section class="logs" aria-labelledby="logs-title" ref={section}>
      <div class="section-head">
        <h2 id="logs-title">Logs</h2>
        {pod && <span class="chip mono">{pod}</span>}
        {pod && <button class="button small" onClick={onAll}>All pods</button>}
        <button class="button small push" aria-expanded={open} onClick={() => setOpen(!open)}>{open ? "Hide" : "Show"}</button>
      </div>
      {open && <Tail namespace={namespace} service={service} pod={pod} />}
    </section>
  );
}

function Tail({ namespace, service, pod }: Omit<Props, "onAll">) {
  const { lines, missed, words, clear } = useTail(pod ? { namespace, pod } : { namespace, service });
  const [filter, setFilter] = useState("");
  const [follow, setFollow] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const shown = filter ? lines.filter((line) => matches(filter, line.text, line.pod)) : lines;
  useEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, follow, filter]);
  const scrolled = () => {
    const element = box.current!;
    setFollow(element.scrollHeight - element.scrollTop - element.clientHeight < 24);
  };
  return (
    <>
      <div class="tools">
        <input data-filter type="search" placeholder="Filter lines" aria-label="Filter lines of the log" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <span class="found quiet">{words || (missed ? `${many(missed, "line")} left out: too fast to show` : follow ? "Following" : "Paused, as you have scrolled up")}</span>
        <button class="button small push" onClick={clear}>Clear</button>
      </div>
      <div class="tail" ref={box} tabIndex={0} role="log" aria-live="off" aria-label="Lines of the log" onScroll={scrolled}>
        {shown.map((line) => (
          <p key={line.id}>
            {!pod && <span class="from" title={line.pod}>{line.pod.slice(-5)}</span>}
            {line.text}
          </p>
        ))}
        {!shown.length && <p class="quiet">{filter && lines.length ? "No line has that." : "Nothing written yet."}</p>}
      </div>
    </>
  );
}

let count = 0;

function useTail(query: Record<string, string>) {
  const [lines, setLines] = useState<LogLine[]>([]);
  const [missed, setMissed] = useState(0);
  const [words, setWords] = useState("");
  useEffect(() => {
    let line: EventSource | null = null;
    const hangUp = () => (line?.close(), (line = null));
    const dial = () => {
      hangUp();
      setLines([]);
      const dialled = new EventSource(`/api/logs?${new URLSearchParams({ ...query, tail: "200" })}`);
      line = dialled;
      // Dialled again by the browser it goes on where it was: nothing is told twice.
      dialled.addEventListener("open", () => setWords(""));
      dialled.addEventListener("lines", (event) => {
        const data = JSON.parse(event.data) as { lines: { pod: string; text: string }[]; missed: number };
        setLines((old) => [...old, ...data.lines.map((each) => ({ ...each, id: ++count }))].slice(-KEPT));
        if (data.missed) setMissed((old) => old + data.missed);
      });
      dialled.addEventListener("end", (event) => {
        setWords((JSON.parse(event.data) as { words: string }).words);
        hangUp();
      });
      dialled.addEventListener("error", () => setWords("The line is down; dialling again."));
    };
    const seen = () => (document.hidden ? hangUp() : line || dial());
    dial();
    document.addEventListener("visibilitychange", seen);
    return () => {
      hangUp();
      document.removeEventListener("visibilitychange", seen);
    };
  }, [JSON.stringify(query)]);
  return { lines, missed, words, clear: () => setLines([]) };
}
