import './story.ts'
import './auditor.ts'
import './patient.ts'
import './hospital.ts'
import { result } from './check.ts'
import { browser } from './scene.ts'

await browser.close()
process.exitCode = result() ? 0 : 1
