// The page's addresses: what follows the # in the URL. Pure.

export type Route =
  | { view: "services" }
  | { view: "service"; namespace: string; name: string }
  | { view: "events"; node?: string; event?: string }
  | { view: "letters" }
  | { view: "scaling" }
  | { view: "runs" };

export function parsed(hash: string): Route {
  if (!hash.startsWith("#/")) return { view: "services" };
  const parts = hash.slice(2).split("/").map(decoded);
  const [view, first = "", second = ""] = parts;
  switch (view) {
    case "service":
      return first && second ? { view, namespace: first, name: second } : { view: "services" };
    case "events":
      if (first === "node" && second) return { view, node: second };
      if (first === "event" && second) return { view, event: second };
      return { view };
    case "letters":
    case "scaling":
    case "runs":
      return { view };
    default:
      return { view: "services" };
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const serviceHref = (namespace: string, name: string) =>
  `#/service/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
export const nodeHref = (id: string) => `#/events/node/${encodeURIComponent(id)}`;
export const eventHref = (id: string) => `#/events/event/${encodeURIComponent(id)}`;

const SERVICE_HOST = /^https?:\/\/([a-z0-9-]+)\.([a-z0-9-]+)\.svc(\.[a-z0-9.-]+)?(:\d+)?(\/|$)/;

/** The Service ("ns/name") that an address inside leads to, if it looks like one. */
export function serviceOfUrl(url: string): string | null {
  const found = SERVICE_HOST.exec(url);
  return found ? `${found[2]}/${found[1]}` : null;
}
