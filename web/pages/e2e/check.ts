import axe from 'axe-core'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'

let [passed, failed] = [0, 0]

/** check runs one thing that a person does, and counts whether it went as it should. What comes after one that did not is not tried: it builds on it. */
export async function check(name: string, run: () => Promise<void>): Promise<void> {
  if (failed > 0) {
    failed++
    console.log(`FAIL  ${name}: not tried`)
    return
  }
  const began = Date.now()
  try {
    await run()
    passed++
    console.log(`ok    ${((Date.now() - began) / 1000).toFixed(1)} s  ${name}`)
  } catch (cause) {
    failed++
    console.log(`FAIL  ${name}\n      ${cause instanceof Error ? cause.message.split('\nBrowser logs')[0] : String(cause)}`)
  }
}

/** result prints how many checks there were, and tells whether all passed. */
export function result(): boolean {
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 && passed > 0
}

/** demand fails unless it is so. */
export function demand(is: boolean, what: string): void {
  if (!is) throw new Error(what)
}

/** until waits for something to be so. */
export async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000
  while (!(await is())) {
    demand(Date.now() < end, `it is not so after 30 s: ${is.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

interface Violation {
  readonly id: string
  readonly impact: string
  readonly help: string
  readonly nodes: { readonly html: string }[]
}

/** looked keeps pictures of a page at two widths, and demands that axe finds nothing serious in it. */
export async function looked(page: Page, name: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const width of [360, 1440]) {
    await page.setViewportSize({ width, height: 800 })
    await page.screenshot({ path: join(folder, `${name}-${width}.png`), fullPage: true })
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    demand(wide <= 0, `${name} is ${wide} px too wide at ${width}`)
  }
  const found = (await page.evaluate(`${axe.source}; axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations)`)) as Violation[]
  const serious = found.filter((v) => v.impact === 'serious' || v.impact === 'critical')
  demand(serious.length === 0, `${name}: ${serious.map((v) => `${v.id}: ${v.help}: ${v.nodes[0]?.html}`).join('\n')}`)
}
