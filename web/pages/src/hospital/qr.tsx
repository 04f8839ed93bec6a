import { encodeQR } from 'qr'

// The quiet zone that a reader needs, in modules.
const quiet = 4

/** QRCode draws a text as a QR code, of elements of this page alone. What it says stands beside it for who can't scan it. */
export function QRCode({ text, label }: { text: string; label: string }) {
  const rows = encodeQR(text, 'raw', { border: quiet, ecc: 'medium' })
  const size = rows.length
  return (
    <svg class="qr" role="img" aria-label={label} viewBox={`0 0 ${size} ${size}`} shape-rendering="crispEdges">
      <rect width={size} height={size} fill="white" />
      <path fill="black" d={rows.map(rowPath).join('')} />
    </svg>
  )
}

// One path of dark runs, which is a hundredth of the elements of one a module.
function rowPath(row: readonly boolean[], y: number): string {
  let path = ''
  for (let x = 0; x < row.length; x++) {
    if (row[x] !== true) continue
    const start = x
    while (row[x] === true) x++
    path += `M${start} ${y}h${x - start}v1h${start - x}z`
  }
  return path
}
