import { carryOut, type Task } from './port.js'

// What runs in a browser's worker: `new Worker(url, { type: 'module' })` with the address of this file, which the page serves itself.
addEventListener('message', (event: MessageEvent<Task>) => {
  void carryOut(event.data).then(({ result, transfer }) => postMessage(result, { transfer }))
})
