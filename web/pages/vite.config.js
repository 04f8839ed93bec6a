import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { licences } from './licences.js'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const installed = (path) => readFileSync(here(`node_modules/${path}`))

// pdf.js loads its decoders of scanned pages by name when a page needs one. Those that are no WebAssembly need nothing of the page's policy.
function decoders() {
  const { version } = JSON.parse(installed('pdfjs-dist/package.json'))
  const names = ['jbig2_nowasm_fallback.js', 'openjpeg_nowasm_fallback.js']
  return {
    name: 'pdf-decoders',
    generateBundle() {
      for (const name of names) this.emitFile({ type: 'asset', fileName: `assets/pdf-${version}/${name}`, source: installed(`pdfjs-dist/wasm/${name}`) })
    },
  }
}

// age-encryption needs an older post-quantum than the formats do, and has it installed within itself.
function ageOwn() {
  return {
    name: 'age-own',
    enforce: 'pre',
    resolveId: (source, importer = '') => (source.startsWith('@noble/post-quantum/') && importer.includes('/age-encryption/') ? here(`node_modules/age-encryption/node_modules/${source}`) : undefined),
  }
}

// The pages are built from the sources of the SDK and of custody.md's formats, with one copy of each package: the one that is installed here.
export default defineConfig({
  base: './',
  plugins: [ageOwn(), decoders(), licences()],
  resolve: {
    alias: { '#custody': here('../custody/src'), '#sdk': here('../sdk/src'), '#verify': here('../verify/src'), crypto: here('src/node-crypto.ts') },
    dedupe: ['@bufbuild/protobuf', '@hpke/core', '@hpke/hybridkem-x-wing', '@noble/curves', '@noble/hashes', '@noble/post-quantum', '@scure/base', '@scure/bip32', '@scure/bip39'],
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: { outDir: 'built', target: 'es2023', modulePreload: { polyfill: false }, reportCompressedSize: false, chunkSizeWarningLimit: 1500 },
})
