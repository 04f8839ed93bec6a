export { nodeLanes } from './lanes.js'
export { pinnedTransport } from './pinned.js'
