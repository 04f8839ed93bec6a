import { cp, rm } from 'node:fs/promises'
import { build } from 'esbuild'

// The extension is what is in static, and one file for each place where a browser runs some of it.
await rm('dist/extension', { recursive: true, force: true })
await cp('static', 'dist/extension', { recursive: true })
await build({
  entryPoints: ['background', 'relay', 'page', 'approval', 'accounts'].map((name) => `src/${name}.ts`),
  outdir: 'dist/extension', bundle: true, format: 'iife', target: 'es2023', charset: 'utf8', logLevel: 'warning',
})
