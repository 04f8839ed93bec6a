import type { Count } from './tally'

/** Columns is a chart of something over time; a screen reader is told the summary. */
export function Columns({ counts, summary }: { counts: readonly Count[]; summary: string }) {
  const most = Math.max(1, ...counts.map(({ count }) => count))
  const [width, height] = [Math.max(10, counts.length), 40]
  return (
    <svg class="columns" role="img" aria-label={summary} viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none">
      {counts.map(({ name, count }, i) => (
        <rect key={name} x={i + 0.1} width={0.8} y={height - (height * count) / most} height={(height * count) / most}>
          <title>{`${name}: ${count}`}</title>
        </rect>
      ))}
    </svg>
  )
}

/** Bars is a table with a bar in each row. */
export function Bars({ title, counts, unit }: { title: string; counts: readonly Count[]; unit: string }) {
  const most = Math.max(1, ...counts.map(({ count }) => count))
  return (
    <table class="bars">
      <caption>{title}</caption>
      <thead class="hidden"><tr><th>{title}</th><th>{unit}</th></tr></thead>
      <tbody>
        {counts.map(({ name, count }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>
              <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect width={(100 * count) / most} height={10} /></svg>
              <span>{count}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
