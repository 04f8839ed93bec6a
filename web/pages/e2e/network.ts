import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
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

  /** at runs a command of somebody who has a home of their own, whose folder has the passphrase beside it, and gives its JSON. */
  async at(home: string, ...args: string[]): Promise<Record<string, unknown>> {
    const { stdout } = await run(this.#binary, [...args, '--home', home, '--passphrase-file', `${home}.passphrase`, '--json'], { timeout: 120_000, maxBuffer: 64 << 20 })
    return stdout.trim() === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>)
  }

  /** stop stops the server of a hospital, start runs it again and waits until it is ready. */
  async stop(hospital: number): Promise<void> {
    await run(this.#binary, ['network', 'stop', `hospital-${hospital}`, '--home', this.#home], { timeout: 120_000 })
  }

  async start(hospital: number): Promise<void> {
    await run(this.#binary, ['network', 'start', `hospital-${hospital}`, '--home', this.#home], { timeout: 180_000 })
  }

  /** hospitals are the numbers of those that have a home. */
  async hospitals(): Promise<number[]> {
    const names = await readdir(this.#home)
    return names.flatMap((name) => /^hospital-(\d+)$/.exec(name)?.[1] ?? []).map(Number).sort((a, b) => a - b)
  }

  /** hospitalOf is the first hospital whose home has an account of that name. */
  async hospitalOf(account: string): Promise<number> {
    for (let hospital = 1; hospital <= 4; hospital++) {
      const name = `hospital-${hospital}`
      const { stdout } = await run(this.#binary, ['keys', 'list', '--home', join(this.#home, name), '--passphrase-file', join(this.#home, 'passphrases', name), '--json'])
      if ((JSON.parse(stdout) as { name: string }[]).some((key) => key.name === account)) return hospital
    }
    throw new Error(`no hospital has an account ${account}`)
  }

  /** command runs a command that needs no account. */
  async command(...args: string[]): Promise<{ stdout: string }> {
    return run(this.#binary, args, { timeout: 240_000, maxBuffer: 64 << 20 })
  }

  /** allow has a hospital's gateway let pages of another origin read its answers, and waits until it is ready again. */
  async allow(hospital: number, origin: string): Promise<void> {
    const name = `hospital-${hospital}`
    const path = join(this.#home, name, 'config', 'app.toml')
    const file = await readFile(path, 'utf8')
    await writeFile(path, file.replace(/^cors_origins = \[.*\]$/m, `cors_origins = [${JSON.stringify(origin)}]`))
    await this.command('network', 'stop', name, '--home', this.#home)
    await this.command('network', 'start', name, '--home', this.#home)
  }

  /** chainID is the name of the network's chain. */
  async chainID(): Promise<string> {
    return (JSON.parse(await readFile(join(this.#home, 'hospital-1', 'client.json'), 'utf8')) as { chain_id: string }).chain_id
  }

  /** gateway is where a hospital's pages are. */
  async gateway(hospital: number): Promise<string> {
    return (await this.door(hospital)).gateway
  }

  /** door is a hospital's gateway, for a program with the SDK. */
  async door(hospital: number): Promise<{ hospital: bigint; name: string; gateway: string; fingerprint: string }> {
    const { gateway, fingerprint } = JSON.parse(await readFile(join(this.#home, `hospital-${hospital}`, 'client.json'), 'utf8')) as { gateway: string; fingerprint: string }
    return { hospital: 0n, name: '', gateway, fingerprint }
  }
}
