// A minute in a line, without axes. What it says is said in words beside it.
const WIDTH = 120;
const HEIGHT = 28;

export function Spark({ values }: { values: (number | null)[] }) {
  const top = Math.max(1, ...values.map((value) => value ?? 0));
  const x = (index: number) => ((index / Math.max(1, values.length - 1)) * WIDTH).toFixed(1);
  const y = (value: number) => (HEIGHT - 2 - (value / top) * (HEIGHT - 5)).toFixed(1);
  const runs: string[][] = [[]];
  values.forEach((value, index) => {
    if (value === null) runs.push([]);
    else runs.at(-1)!.push(`${x(index)},${y(value)}`);
  });
  const drawn = runs.filter((run) => run.length > 1);
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true" focusable="false">
      {drawn.map((run) => (
        <path class="spark-area" d={`M${run[0]!.split(",")[0]},${HEIGHT} L${run.join(" L")} L${run.at(-1)!.split(",")[0]},${HEIGHT}z`} />
      ))}
      {drawn.map((run) => (
        <polyline class="spark-line" points={run.join(" ")} />
      ))}
    </svg>
  );
}
