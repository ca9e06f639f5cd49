// What several views share.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Named } from "../types.ts";

/** The name of a view; focus goes here when one comes to it, so that it is read out. */
export function Title({ children, arrived }: { children: ComponentChildren; arrived?: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), [arrived]);
  return <h1 ref={heading} tabIndex={-1}>{children}</h1>;
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

export const keyOf = (row: Named) => `${row.namespace}/${row.name}`;

/** The namespace, where it is not the one that goes without saying. */
export function Where({ namespace }: { namespace: string }) {
  return namespace === "default" ? null : <span class="where">{namespace}</span>;
}

export function matches(filter: string, ...texts: string[]): boolean {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const text = texts.join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

/** A figure of a line. Its word is for who hears it, and for narrow screens, where no head stands above. */
export function Value({ what, kind = "", children }: { what: string; kind?: string; children: ComponentChildren }) {
  return (
    <span class={`number ${kind}`}>
      {children}
      <span class="what"> {what}</span>
    </span>
  );
}
