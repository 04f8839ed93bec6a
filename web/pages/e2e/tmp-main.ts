import { result } from './check.ts'
import { browser } from './scene.ts'
for (const story of ['auditor']) await import(`./${story}.ts`)
await browser.close()
process.exitCode = result() ? 0 : 1
