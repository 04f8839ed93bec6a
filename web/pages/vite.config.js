import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))

// The pages are built from the sources of the SDK and of custody.md's formats, with one copy of each package: the one that is installed here.
export default defineConfig({
  base: './',
  resolve: {
    alias: { '#custody': here('../custody/src'), '#sdk': here('../sdk/src'), '#verify': here('../verify/src'), crypto: here('src/node-crypto.ts') },
    dedupe: ['@bufbuild/protobuf', '@hpke/core', '@hpke/hybridkem-x-wing', '@noble/curves', '@noble/hashes', '@noble/post-quantum', '@scure/base', '@scure/bip32', '@scure/bip39'],
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: { outDir: 'built', target: 'es2023', modulePreload: { polyfill: false }, reportCompressedSize: false, chunkSizeWarningLimit: 900 },
})
