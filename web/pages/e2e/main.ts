import { result } from './check.ts'
import { browser } from './scene.ts'

// One story after another: modules that are imported together would be told at once.
for (const story of ['keplr', 'story', 'auditor', 'patient', 'hospital']) await import(`./${story}.ts`)
await browser.close()
process.exitCode = result() ? 0 : 1
