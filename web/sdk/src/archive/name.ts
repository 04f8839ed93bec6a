import { idText } from '#custody/id.js'
import type { Ref } from '../records/ref.js'

/** archivedName is where a version stands in an archive: in a folder of its record and version, under its name. */
export function archivedName(ref: Ref, name: string, mediaType: string): string {
  return `${idText(ref.record).replace(/[*~$=]+$/, '')}/${ref.version}/${fileName(name, mediaType)}`
}

const extensions: Readonly<Record<string, string>> = {
  'application/dicom': '.dcm', 'application/pdf': '.pdf', 'image/jpeg': '.jpg', 'image/png': '.png', 'text/plain': '.txt',
}

/** fileName is a name that is safe in a folder. What somebody else chose is never a path. */
export function fileName(name: string, mediaType: string): string {
  const safe = name.replace(/[/\\:]|[^\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]/gu, '_').replace(/^[. ]+|[. ]+$/g, '')
  return safe !== '' ? safe : `file${extensions[mediaType.split(';')[0]?.trim() ?? ''] ?? ''}`
}
