/** padme is the length that hides L: at most 12 % more, and few lengths there are. */
export function padme(length: bigint): bigint {
  if (length < 2n) return length
  const e = floorLog2(length)
  const s = floorLog2(e) + 1n
  const unit = 1n << (e - s)
  return ((length + unit - 1n) / unit) * unit
}

function floorLog2(n: bigint): bigint {
  return BigInt(n.toString(2).length - 1)
}
