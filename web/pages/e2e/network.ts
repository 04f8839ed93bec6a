import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Network is a demo network that runs on this machine, and the command phrd with which hospitals work in it. */
export class Network {
  readonly #binary: string
  readonly #home: string

  constructor(binary: string, home: string) {
    this.#binary = binary
    this.#home = home
  }

  /** as runs a command as an account of a hospital, and gives its JSON, of a list the first. */
  async as(hospital: number, account: string, ...args: string[]): Promise<Record<string, unknown>> {
    const name = `hospital-${hospital}`
    const options = ['--home', join(this.#home, name), '--passphrase-file', join(this.#home, 'passphrases', name), '--from', account, '--json']
    const { stdout } = await run(this.#binary, [...args, ...options], { timeout: 120_000, maxBuffer: 64 << 20 })
    const said: unknown = stdout.trim() === '' ? {} : JSON.parse(stdout)
    return (Array.isArray(said) ? said[0] : said) as Record<string, unknown>
  }

  /** gateway is where a hospital's pages are. */
  async gateway(hospital: number): Promise<string> {
    const file = JSON.parse(await readFile(join(this.#home, `hospital-${hospital}`, 'client.json'), 'utf8')) as { gateway: string }
    return file.gateway
  }
}
