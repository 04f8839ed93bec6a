// Bundles the SDK as a page would, and fails when it is larger than the budget: all of it, minified and compressed.
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const budget = 180 * 1024

const { outputFiles } = await build({
  entryPoints: ['dist/sdk/src/index.js'], bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022', write: false, logLevel: 'error',
})
const size = gzipSync(outputFiles[0].contents, { level: 9 }).length
console.log(`@phrd/sdk: ${size} bytes compressed, of ${budget}`)
process.exitCode = size > budget ? 1 : 0
