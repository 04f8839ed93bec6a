/** pieces reads a file a piece at a time, and tells how many bytes were taken. */
export async function* pieces(file: Blob, tell: (bytes: number) => void = () => undefined): AsyncGenerator<Uint8Array, void> {
  const reader = file.stream().getReader()
  for (let bytes = 0; ; ) {
    const { done, value } = await reader.read()
    if (done) return
    yield value
    bytes += value.length
    tell(bytes)
  }
}
