import { result } from './check.ts'
import { browser } from './scene.ts'

// One story after another: modules that are imported together would be told at once.
const stories = process.env['SIZE'] === 'short' ? ['keplr', 'story', 'wallet', 'hospital'] : ['keplr', 'story', 'wallet', 'vault', 'auditor', 'patient', 'anew', 'handover', 'hospital', 'staff']
for (const story of stories) await import(`./${story}.ts`)
await browser.close()
process.exitCode = result() ? 0 : 1
