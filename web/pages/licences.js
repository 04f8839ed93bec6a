import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const read = (path) => readFileSync(path, 'utf8').replaceAll('\r\n', '\n').replace(/[ \t]+$/gm, '').replace(/^\n+|\n+$/g, '')

// The licences that the program and the pages may carry, by their SPDX names, one a line.
const allowed = new Set(read(here('../../internal/licences/allowed.txt')).split('\n'))

// Texts that belong to a package and do not stand at its root: of what it was compiled from, or left out of the package.
const beside = {
  '@bufbuild/protobuf': ['licences/protobuf-es.txt', 'licences/protobuf-google.txt'],
  '@cornerstonejs/codec-charls': ['licences/charls.txt'],
  '@cornerstonejs/codec-openjpeg': ['licences/codec-openjpeg.txt', 'node_modules/pdfjs-dist/wasm/LICENSE_OPENJPEG'],
  'pdfjs-dist': ['JBIG2', 'OPENJPEG', 'PDFJS_JBIG2', 'PDFJS_OPENJPEG'].map((name) => `node_modules/pdfjs-dist/wasm/LICENSE_${name}`),
}

// What the tools that build the pages add to them; the text of vite goes on with those of what only builds.
const helpers = { '\0rolldown/runtime.js': 'rolldown', '\0vite/preload-helper.js': 'vite' }
const ownText = (name, text) => (name === 'vite' ? text.split('# Licenses of bundled dependencies')[0].trimEnd() : text)

// folderOf is the folder of the package that a module is from, undefined for the pages' own.
function folderOf(module) {
  if (module.startsWith('\0') && !module.includes('/node_modules/')) {
    if (!(module in helpers)) throw new Error(`licences: ${JSON.stringify(module)} is of no known package`)
    return here(`node_modules/${helpers[module]}`)
  }
  return module.match(/^\0?(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//)?.[1]
}

// permitted tells whether an SPDX expression of names, AND and OR is met by what is allowed.
function permitted(expression) {
  const terms = expression.replace(/^\((.*)\)$/, '$1').split(' OR ')
  return terms.some((term) => term.split(' AND ').every((name) => allowed.has(name)))
}

function packageIn(folder) {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
  if (typeof license !== 'string' || !permitted(license)) throw new Error(`licences: ${name} ${version} has ${JSON.stringify(license)}, which internal/licences/allowed.txt does not list`)
  const own = readdirSync(folder).filter((file) => /^(licen[sc]e|copying|notice)/i.test(file)).map((file) => `${folder}/${file}`)
  const texts = [...own, ...(beside[name] ?? []).map(here)].map((path) => ownText(name, read(path)))
  if (texts.length === 0) throw new Error(`licences: ${name} ${version} has no text of its licence`)
  return { title: `${name} ${version}`, license, texts }
}

const byName = (a, b) => (a < b ? -1 : 1)

// document lists the packages, then each text once under the names of those that have it.
function document(packages) {
  const holders = new Map()
  for (const { title, texts } of packages) for (const text of texts) holders.set(text, [...(holders.get(text) ?? []), title])
  const rule = '='.repeat(80)
  const list = packages.map(({ title, license }) => `  ${title}: ${license}`).join('\n')
  const all = [...holders].map(([text, titles]) => `${rule}\n${titles.join('\n')}\n\n${text}\n`).join('\n')
  return `Code of others in the pages of phrd, and its licences\n\n${list}\n\n${all}`
}

// licences writes licences.txt into what is built: the licences of all packages that came into it, and none of those that build it.
export function licences() {
  return {
    name: 'licences',
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []))
      const folders = new Set(modules.map(folderOf).filter((folder) => folder !== undefined))
      const packages = [...folders].map(packageIn).sort((a, b) => byName(a.title, b.title))
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: document(packages) })
    },
  }
}
