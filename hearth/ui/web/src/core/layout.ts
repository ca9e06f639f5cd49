// Where the nodes of the event graph stand: columns from left to right, few crossings. Pure.

export interface Link {
  from: string;
  to: string;
}

export interface Spot {
  rank: number;
  x: number;
  y: number;
}

export interface Measures {
  width: number;
  height: number;
  gapX: number;
  gapY: number;
}

export interface Layout {
  spots: Map<string, Spot>;
  width: number;
  height: number;
}

const SWEEPS = 6;

export function layout(ids: string[], links: Link[], m: Measures): Layout {
  const known = new Set(ids);
  const real = links.filter((link) => known.has(link.from) && known.has(link.to) && link.from !== link.to);
  const forward = withoutCycles(ids, real);
  const ranks = ranked(ids, forward);
  const columns = ordered(ids, forward, ranks);
  return placed(columns, forward, m);
}

/** The links but for those that lead back to where one came from. */
export function withoutCycles(ids: string[], links: Link[]): Link[] {
  const out = grouped(links, (link) => link.from);
  const state = new Map<string, "open" | "done">();
  const kept: Link[] = [];
  const enters = new Set(links.map((link) => link.to));
  const starts = [...ids.filter((id) => !enters.has(id)), ...ids];
  for (const start of starts) {
    if (state.has(start)) continue;
    state.set(start, "open");
    const path = [{ id: start, links: [...(out.get(start) ?? [])] }];
    while (path.length) {
      const top = path.at(-1)!;
      const link = top.links.shift();
      if (!link) {
        state.set(top.id, "done");
        path.pop();
      } else if (state.get(link.to) !== "open") {
        kept.push(link);
        if (!state.has(link.to)) {
          state.set(link.to, "open");
          path.push({ id: link.to, links: [...(out.get(link.to) ?? [])] });
        }
      }
    }
  }
  return kept;
}

/** The longest way to each node, in links. */
function ranked(ids: string[], links: Link[]): Map<string, number> {
  const into = grouped(links, (link) => link.to);
  const ranks = new Map<string, number>();
  const rank = (id: string): number => {
    const found = ranks.get(id);
    if (found !== undefined) return found;
    const before = (into.get(id) ?? []).map((link) => rank(link.from) + 1);
    const value = Math.max(0, ...before);
    ranks.set(id, value);
    return value;
  };
  ids.forEach(rank);
  return ranks;
}

function ordered(ids: string[], links: Link[], ranks: Map<string, number>): string[][] {
  const columns: string[][] = [];
  for (const id of [...ids].sort()) (columns[ranks.get(id)!] ??= []).push(id);
  const from = grouped(links, (link) => link.to);
  const to = grouped(links, (link) => link.from);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const down = sweep % 2 === 0;
    const places = new Map(columns.flatMap((column) => column.map((id, at) => [id, at / column.length] as const)));
    for (const column of columns) {
      const weight = (id: string) => {
        const near = down
          ? (from.get(id) ?? []).map((link) => places.get(link.from)!)
          : (to.get(id) ?? []).map((link) => places.get(link.to)!);
        return near.length ? near.reduce((sum, at) => sum + at, 0) / near.length : places.get(id)!;
      };
      const weights = new Map(column.map((id) => [id, weight(id)]));
      column.sort((left, right) => weights.get(left)! - weights.get(right)! || (left < right ? -1 : 1));
    }
  }
  return columns;
}

function placed(columns: string[][], links: Link[], m: Measures): Layout {
  const step = m.height + m.gapY;
  const most = Math.max(1, ...columns.map((column) => column.length));
  const height = most * step - m.gapY;
  const spots = new Map<string, Spot>();
  const from = grouped(links, (link) => link.to);
  columns.forEach((column, rank) => {
    const free = height - (column.length * step - m.gapY);
    let next = 0;
    column.forEach((id, at) => {
      const near = (from.get(id) ?? []).map((link) => spots.get(link.from)?.y).filter((y) => y !== undefined);
      const wish = near.length ? near.reduce((sum, y) => sum + y, 0) / near.length : free / 2 + at * step;
      const latest = height - m.height - (column.length - 1 - at) * step;
      const y = Math.min(latest, Math.max(next, wish));
      spots.set(id, { rank, x: rank * (m.width + m.gapX), y });
      next = y + step;
    });
  });
  return { spots, width: Math.max(1, columns.length) * (m.width + m.gapX) - m.gapX, height };
}

function grouped<T>(items: T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
