// A plot over time (uPlot), with its words: what it shows now, for all, and as a table.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { clock } from "../core/format.ts";
import { useTheme } from "../theme.ts";

export interface Line {
  label: string;
  /** A custom property of the style sheet, such as --series-1. */
  colour: string;
  dashed?: boolean;
  values: (number | null)[];
}

interface Props {
  title: string;
  times: number[];
  lines: Line[];
  format: (value: number) => string;
  words: string;
  whole?: boolean;
}

const HEIGHT = 148;

export function Chart({ title, times, lines, format, words, whole }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const theme = useTheme();
  const shape = lines.map((line) => [line.label, line.colour, line.dashed].join()).join(";");
  const data = [times, ...lines.map((line) => line.values)] as uPlot.AlignedData;
  useEffect(() => {
    const element = box.current!;
    const made = new uPlot(options(element.clientWidth, lines, format, whole ?? false), data, element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, theme]);
  useEffect(() => plot.current?.setData(data), [times.at(-1), shape, lines.map((line) => line.values.at(-1)).join()]);
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="chart-words">{words}</span>
      </figcaption>
      <div class="plot" ref={box} role="img" aria-label={`${title}: ${words}`} />
      <Table title={title} times={times} lines={lines} format={format} />
    </figure>
  );
}

/** Six moments of each line, for who does not see the plot. */
function Table({ title, times, lines, format }: Pick<Props, "title" | "times" | "lines" | "format">) {
  const step = Math.max(1, Math.floor((times.length - 1) / 5));
  const picked = times.map((_, index) => index).filter((index) => (times.length - 1 - index) % step === 0);
  return (
    <details class="chart-table">
      <summary>As a table</summary>
      <table>
        <caption class="unseen">{title}</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {lines.map((line) => (
              <th scope="col" key={line.label}>{line.label}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {picked.map((index) => (
            <tr key={times[index]}>
              <th scope="row">{clock(times[index]!)}</th>
              {lines.map((line) => {
                const value = line.values[index] ?? null;
                return <td key={line.label}>{value === null ? "–" : format(value)}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

function options(width: number, lines: Line[], format: (value: number) => string, whole: boolean): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--ink-3"),
    font: `11px ${colour("--mono")}`,
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT,
    padding: [8, 20, 0, 0],
    legend: { show: true, live: true },
    cursor: { y: false, points: { size: 6 } },
    scales: { x: { time: true }, y: { range: (_, __, most) => [0, top(most ?? 0, whole)] } },
    axes: [
      { ...axis, size: 24, space: 90, values: (_, ticks) => ticks.map(clock) },
      { ...axis, size: 58, space: 32, values: (_, ticks) => ticks.map((tick) => (whole && tick % 1 ? "" : format(tick))) },
    ],
    series: [
      { label: "Time", value: (_, time) => (time === null ? "" : clock(time)) },
      ...lines.map((line) => ({
        label: line.label,
        stroke: colour(line.colour),
        width: 1.5,
        ...(line.dashed ? { dash: [4, 3] } : {}),
        ...(whole && uPlot.paths.stepped ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
        points: { show: false },
        value: (_: uPlot, value: number | null) => (value === null ? "–" : format(value)),
      })),
    ],
  };
}

function top(most: number, whole: boolean): number {
  if (most <= 0) return 1;
  return whole ? Math.max(2, most + 1) : most * 1.15;
}
