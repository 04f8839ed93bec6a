import { Worker } from 'node:worker_threads'
import type { Lane } from '../content/workers.js'

/** nodeLanes are worker threads of Node. */
export function nodeLanes(count: number): Lane[] {
  return Array.from({ length: count }, () => {
    const worker = new Worker(new URL('./worker.js', import.meta.url))
    return {
      post: (task, transfer) => worker.postMessage(task, transfer),
      listen: (result, fault) => {
        worker.on('message', result)
        worker.on('error', fault)
      },
      end: () => void worker.terminate(),
    }
  })
}
