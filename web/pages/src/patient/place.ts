// What a page makes and is larger than its memory lies in the browser's own folder of this page, which no other page reads.
const folder = 'archive'

/** keepPlace writes a stream to a file of the browser's own folder for this page, in place of the one that was there, and gives it. Of a stream that fails nothing is kept. */
export async function keepPlace(name: string, content: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<File> {
  await clearPlace()
  const at = await (await navigator.storage.getDirectory()).getDirectoryHandle(folder, { create: true })
  const handle = await at.getFileHandle(name, { create: true })
  try {
    await content.pipeTo(await handle.createWritable(), { signal })
  } catch (cause) {
    await clearPlace()
    throw cause
  }
  return handle.getFile()
}

/** clearPlace removes what keepPlace wrote, of this visit and of earlier ones. */
export async function clearPlace(): Promise<void> {
  const root = await navigator.storage.getDirectory()
  try {
    await root.removeEntry(folder, { recursive: true })
  } catch (cause) {
    if (!(cause instanceof DOMException) || cause.name !== 'NotFoundError') throw cause
  }
}
