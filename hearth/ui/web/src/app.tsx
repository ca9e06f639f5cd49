// The frame of the page: where one is, where one can go, whether what is shown is of now.
import { useEffect, useState } from "preact/hooks";
import { age, clock, many } from "./core/format.ts";
import { parsed, type Route } from "./core/route.ts";
import { Keys, useKeys } from "./keys.tsx";
import { Flame, Icon } from "./parts/icons.tsx";
import { Toasts } from "./parts/toasts.tsx";
import { store, useSeconds, useStore } from "./store.ts";
import * as theme from "./theme.ts";
import { Events } from "./views/events.tsx";
import { Letters } from "./views/letters.tsx";
import { Runs } from "./views/runs.tsx";
import { Scaling } from "./views/scaling.tsx";
import { ServiceView } from "./views/service.tsx";
import { Services } from "./views/services.tsx";

const PLACES = [
  { view: "services", href: "#/", word: "Services" },
  { view: "events", href: "#/events", word: "Events" },
  { view: "letters", href: "#/letters", word: "Dead letters" },
  { view: "scaling", href: "#/scaling", word: "Scaling" },
  { view: "runs", href: "#/runs", word: "Runs" },
] as const;

export function App() {
  const [route, setRoute] = useState<Route>(parsed(location.hash));
  const [help, setHelp] = useState(false);
  const { me } = useStore();
  useEffect(() => {
    const moved = () => setRoute(parsed(location.hash));
    window.addEventListener("hashchange", moved);
    return () => window.removeEventListener("hashchange", moved);
  }, []);
  useKeys(() => setHelp(true));
  useTitle(route);
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>Skip to content</a>
      <header class="bar">
        <a class="brand" href="#/">
          <Flame />
          Hearth
        </a>
        <span class="place">{me?.place}</span>
        <Line />
        <ThemeButton />
        <button class="button bare" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)" onClick={() => setHelp(true)}>
          <Icon name="keys" />
        </button>
      </header>
      <Nav route={route} />
      <main id="main" tabIndex={-1}>
        {me ? <View route={route} /> : <p class="connecting">Connecting…</p>}
      </main>
      <Toasts />
      {help && <Keys onClose={() => setHelp(false)} />}
    </>
  );
}

function skip(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function View({ route }: { route: Route }) {
  switch (route.view) {
    case "services":
      return <Services />;
    case "service":
      return <ServiceView key={`${route.namespace}/${route.name}`} namespace={route.namespace} name={route.name} />;
    case "events":
      return <Events node={route.node} event={route.event} />;
    case "letters":
      return <Letters />;
    case "scaling":
      return <Scaling />;
    case "runs":
      return <Runs />;
  }
}

function Nav({ route }: { route: Route }) {
  const { tables } = useStore();
  const counts: Record<string, number> = {
    services: Object.keys(tables.services).length,
    letters: Object.keys(tables.letters).length,
    scaling: Object.keys(tables.scaled).length,
    runs: Object.keys(tables.runs).length,
  };
  const here = route.view === "service" ? "services" : route.view;
  return (
    <nav aria-label="Views">
      {PLACES.map(({ view, href, word }) => (
        <a key={view} href={href} aria-current={here === view ? "page" : undefined}>
          <Icon name={view} />
          <span>{word}</span>
          {counts[view] ? <span class={view === "letters" ? "count warm" : "count"}>{counts[view]}</span> : null}
        </a>
      ))}
    </nav>
  );
}

/** Live, or how old; said politely when it changes, not each second. */
function Line() {
  const { link, at } = useStore();
  useSeconds();
  const since = performance.now() / 1000 - store.heard;
  const words = {
    connecting: "Connecting…",
    live: "Live",
    lost: `Reconnecting. You see ${at ? clock(at) : "nothing yet"}`,
  }[link];
  return (
    <span class={`line ${link}`}>
      <span class="line-dot" aria-hidden="true" />
      <span role="status" aria-live="polite">{words}</span>
      {link === "lost" && store.heard > 0 && <span class="line-age">, {age(since)} old</span>}
    </span>
  );
}

function ThemeButton() {
  theme.useTheme();
  const now = theme.chosen();
  const word = { auto: "as the system", light: "light", dark: "dark" }[now];
  return (
    <button class="button bare" aria-label={`Theme: ${word}`} title={`Theme: ${word} (t)`} onClick={theme.next}>
      <Icon name={{ auto: "auto", light: "sun", dark: "moon" }[now]} />
    </button>
  );
}

function useTitle(route: Route): void {
  const { tables } = useStore();
  const trouble = Object.values(tables.services).filter((row) => row.ready === "False").length;
  const where = route.view === "service" ? route.name : PLACES.find((place) => place.view === route.view)!.word;
  const title = `${trouble ? `(${many(trouble, "needs a look", "need a look")}) ` : ""}${where} · Hearth`;
  useEffect(() => void (document.title = title), [title]);
}
