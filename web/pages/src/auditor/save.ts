/** save has the browser write a file to where its user keeps downloads. */
export function save(name: string, kind: string, parts: BlobPart[]): void {
  const url = URL.createObjectURL(new Blob(parts, { type: kind }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
