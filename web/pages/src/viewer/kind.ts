/** Kind is how a file is shown. */
export type Kind = 'dicom' | 'pdf' | 'image' | 'audio' | 'video' | 'text' | 'other'

/** sniffLength is how many bytes of a file kindOf looks at. */
export const sniffLength = 132

const pictures = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/bmp', 'image/avif', 'image/svg+xml']

/** kindOf says how a file is shown, by its first bytes and then by what it is said to be. A browser shows a picture of markup without what it would run, and markup itself is text here. */
export function kindOf(mediaType: string, first: Uint8Array): Kind {
  const type = mediaType.split(';')[0]?.trim().toLowerCase() ?? ''
  if (latin(first.subarray(128, 132)) === 'DICM') return 'dicom'
  if (latin(first.subarray(0, 5)) === '%PDF-') return 'pdf'
  if (pictures.includes(type)) return 'image'
  if (type.startsWith('audio/')) return 'audio'
  if (type.startsWith('video/')) return 'video'
  if (type.startsWith('text/') || /^application\/(json|xml|.*\+(json|xml))$/.test(type)) return 'text'
  return 'other'
}

function latin(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}
