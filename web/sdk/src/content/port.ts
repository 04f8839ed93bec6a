import type { Bytes } from '#custody/encoding.js'
import type { Entry, SealedChunk } from '#custody/object.js'
import { Refusal } from '#custody/refusal.js'
import { onThisThread } from './chunks.js'

/** Task is what a worker is asked for. */
export type Task =
  | { readonly id: number; readonly do: 'seal'; readonly size: bigint; readonly at: number; readonly part: Bytes; readonly key: Bytes }
  | { readonly id: number; readonly do: 'open'; readonly size: bigint; readonly at: number; readonly entry: Entry; readonly leaf: Bytes; readonly idKey: Uint8Array | undefined }

/** Result is what a worker answers. A refusal is of what it was given, a fault of the worker. */
export type Result =
  | { readonly id: number; readonly sealed: SealedChunk }
  | { readonly id: number; readonly opened: Bytes }
  | { readonly id: number; readonly refused: string }
  | { readonly id: number; readonly fault: string }

/** carryOut does a task, and names the memory that goes along with its result. */
export async function carryOut(task: Task): Promise<{ result: Result; transfer: ArrayBuffer[] }> {
  const { id } = task
  try {
    if (task.do === 'seal') {
      const sealed = await onThisThread.seal(task.size, task.at, task.part, task.key)
      return { result: { id, sealed }, transfer: [sealed.leaf.buffer] }
    }
    const opened = await onThisThread.open(task.size, task.at, task.entry, task.leaf, task.idKey)
    return { result: { id, opened }, transfer: [opened.buffer] }
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    return { result: cause instanceof Refusal ? { id, refused: message } : { id, fault: message }, transfer: [] }
  }
}
