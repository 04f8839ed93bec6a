import { deflateSync } from 'node:zlib'

/** dicomFile is a DICOM file (explicit VR, little endian) with grey pictures of 12 bits, of which the value at x, y of picture f is (x + y + 16·f) mod 4096. It stands by itself, so that a page can make the same bytes. */
export function dicomFile(patient: string, size: number, frames: number): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = []
  const text = (s: string) => new TextEncoder().encode(s.length % 2 === 0 ? s : `${s} `)
  const uint16 = (n: number) => Uint8Array.of(n & 255, n >> 8)
  const element = (group: number, number: number, vr: string, value: Uint8Array) => {
    const isLong = ['OB', 'OW', 'UN'].includes(vr)
    const head = new DataView(new ArrayBuffer(isLong ? 12 : 8))
    head.setUint16(0, group, true)
    head.setUint16(2, number, true)
    head.setUint8(4, vr.charCodeAt(0))
    head.setUint8(5, vr.charCodeAt(1))
    if (isLong) head.setUint32(8, value.length, true)
    else head.setUint16(6, value.length, true)
    parts.push(new Uint8Array(head.buffer), value)
  }
  parts.push(new Uint8Array(128), text('DICM'))
  const syntax = text('1.2.840.10008.1.2.1\0')
  element(2, 0, 'UL', Uint8Array.of(8 + syntax.length, 0, 0, 0))
  element(2, 0x10, 'UI', syntax)
  element(8, 5, 'CS', text('ISO_IR 192'))
  element(8, 0x20, 'DA', text('20260131'))
  element(8, 0x60, 'CS', text('CT'))
  element(8, 0x1030, 'LO', text('Kopf <b>nativ</b>'))
  element(0x10, 0x10, 'PN', text(patient))
  element(0x28, 2, 'US', uint16(1))
  element(0x28, 4, 'CS', text('MONOCHROME2'))
  element(0x28, 8, 'IS', text(String(frames)))
  for (const number of [0x10, 0x11]) element(0x28, number, 'US', uint16(size))
  element(0x28, 0x100, 'US', uint16(16))
  element(0x28, 0x101, 'US', uint16(12))
  element(0x28, 0x102, 'US', uint16(11))
  element(0x28, 0x103, 'US', uint16(0))
  element(0x28, 0x1050, 'DS', text('1024'))
  element(0x28, 0x1051, 'DS', text('2048'))
  const pixels = new DataView(new ArrayBuffer(2 * size * size * frames))
  for (let f = 0, at = 0; f < frames; f++) for (let y = 0; y < size; y++) for (let x = 0; x < size; x++, at += 2) pixels.setUint16(at, (x + y + 16 * f) % 4096, true)
  element(0x7fe0, 0x10, 'OW', new Uint8Array(pixels.buffer))
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let end = 0
  for (const part of parts) {
    whole.set(part, end)
    end += part.length
  }
  return whole
}

// One black square of 32 by 32 pixels as a fax has it (ITU-T T.6): a row that is black, 31 rows like the one before, and the end.
const fax = bits(`001${'00110101'}${'000001101010'}${'11'.repeat(31)}${'000000000001'.repeat(2)}`)

function bits(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/.{1,8}/g) ?? [], (byte) => parseInt(byte.padEnd(8, '0'), 2))
}

/** pdfFile is a document of two pages that say these words, and have a black square below on the left that was scanned. */
export function pdfFile(first: string, second: string): Buffer {
  const content = (words: string) => `BT /F1 36 Tf 40 120 Td (${words}) Tj ET q 40 0 0 40 40 20 cm /Im1 Do Q`
  const stream = (words: string) => `<< /Length ${content(words).length} >>\nstream\n${content(words)}\nendstream`
  const page = (contents: number) => `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 200] /Contents ${contents} 0 R /Resources << /Font << /F1 7 0 R >> /XObject << /Im1 8 0 R >> >> >>`
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>', '<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>', page(5), page(6), stream(first), stream(second),
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
    `<< /Type /XObject /Subtype /Image /Width 32 /Height 32 /ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns 32 /Rows 32 >> /Length ${fax.length} >>
stream
${String.fromCharCode(...fax)}
endstream`,
  ]
  let file = '%PDF-1.4\n'
  const places = objects.map((object, i) => {
    const place = file.length
    file += `${i + 1} 0 obj\n${object}\nendobj\n`
    return place
  })
  const table = file.length
  file += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${places.map((p) => `${String(p).padStart(10, '0')} 00000 n \n`).join('')}`
  return Buffer.from(`${file}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${table}\n%%EOF\n`, 'latin1')
}

/** pngFile is a picture of one colour. */
export function pngFile(size: number, [r, g, b]: readonly [number, number, number]): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const length = Buffer.alloc(4)
    length.writeUInt32BE(data.length)
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(crc32(body))
    return Buffer.concat([length, body, sum])
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(size, 0)
  head.writeUInt32BE(size, 4)
  head.set([8, 2], 8)
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(3 * size, Buffer.from([r, g, b]))])
  const rows = Buffer.concat(Array.from({ length: size }, () => row))
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))])
}

function crc32(bytes: Buffer): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return ~crc >>> 0
}

/** wavFile is a second of a tone. */
export function wavFile(): Buffer {
  const rate = 8000
  const samples = Buffer.from(Uint8Array.from({ length: rate }, (_, i) => 128 + Math.round(60 * Math.sin((i * 2 * Math.PI * 440) / rate))))
  const head = Buffer.alloc(44)
  head.write('RIFF', 0)
  head.writeUInt32LE(36 + samples.length, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(rate, 24)
  head.writeUInt32LE(rate, 28)
  head.writeUInt16LE(1, 32)
  head.writeUInt16LE(8, 34)
  head.write('data', 36)
  head.writeUInt32LE(samples.length, 40)
  return Buffer.concat([head, samples])
}
