const headerSize = 64
const mostSegments = 15

/** decodeRLE decodes one frame of RLE Lossless (PS3.5 annex G): a segment for each byte of each sample, the most significant one first. What comes out has its samples side by side, in little-endian order. A frame that is cut short is dark from there on. */
export function decodeRLE(frame: Uint8Array, pixels: number, samples: number, bytesEach: number): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  const count = Math.min(mostSegments, samples * bytesEach)
  const out = new Uint8Array(pixels * samples * bytesEach)
  for (let segment = 0; segment < count; segment++) {
    const start = view.getUint32(4 + 4 * segment, true)
    const end = segment + 1 < count ? view.getUint32(8 + 4 * segment, true) : frame.length
    const [sample, byte] = [Math.floor(segment / bytesEach), bytesEach - 1 - (segment % bytesEach)]
    unpack(frame.subarray(Math.max(headerSize, start), end), out, sample * bytesEach + byte, samples * bytesEach)
  }
  return out
}

// PackBits: a count, and then so many bytes, or one of them that often.
function unpack(from: Uint8Array, out: Uint8Array, first: number, step: number): void {
  let to = first
  for (let at = 0; at < from.length && to < out.length; ) {
    const code = from[at++] ?? 128
    if (code < 128) {
      for (let i = 0; i <= code && to < out.length; i++, to += step) out[to] = from[at++] ?? 0
    } else if (code > 128) {
      const value = from[at++] ?? 0
      for (let i = 0; i <= 256 - code && to < out.length; i++, to += step) out[to] = value
    }
  }
}
