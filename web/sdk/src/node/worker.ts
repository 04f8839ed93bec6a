import { parentPort } from 'node:worker_threads'
import { carryOut, type Task } from '../content/port.js'

// What runs in a worker thread of Node.
parentPort?.on('message', (task: Task) => {
  void carryOut(task).then(({ result, transfer }) => parentPort?.postMessage(result, transfer))
})
