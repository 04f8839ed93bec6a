import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Decrypter, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { check, demand, looked, until } from './check.ts'
import { joined, type Person, shows, way, wordsWritten } from './people.ts'
import { button, heading, home, network, pictures, signs } from './scene.ts'

const run = promisify(execFile)
const age = process.env['PHRD_AGE']
if (age === undefined) throw new Error('$PHRD_AGE does not name the tool age')
const [origin, er] = [await network.gateway(1), await network.hospitalOf('clinician')]
const files = [randomBytes(70_000), randomBytes((1 << 20) + 5)] as const
const sum = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
let dora: Person
let records: string[] = []
let voided = ''

async function stored(hospital: number, clerk: string, bytes: Uint8Array): Promise<string> {
  const file = join(home, `anew-${hospital}.bin`)
  await writeFile(file, bytes)
  const { record } = await network.as(hospital, clerk, 'record', 'store', file, '--patient', dora.patient, '--class', 'result', '--wait', 'copies')
  return String(record)
}

async function asked(record: string): Promise<string> {
  const { unlock } = await network.as(er, 'clinician', 'unlock', 'propose', `${record}/1`, '--purpose', 'TREAT')
  return String(unlock)
}

await check('two hospitals store for somebody whose words were stolen, and who changes the vault’s key', async () => {
  dora = await joined(origin)
  await network.as(er, 'admin', 'staff', 'add', 'second-clerk', '--role', 'clerk')
  records = [await stored(1, 'clerk', files[0]), await stored(er, 'second-clerk', files[1])]
  voided = await asked(records[0] ?? '')
  const { page } = dora
  await way(page, 'Your vault')
  await button(page, 'Change the vault’s key').click()
  await signs(page, 2)
  dora = { ...dora, code: await wordsWritten(page, 'Write the vault') }
  await signs(page)
  await page.getByText('Your vault was written anew.').waitFor()
})

/** locks signs all that one group of versions needs. */
async function locks(): Promise<void> {
  const [, approval, fresh, confirmed] = await signs(dora.page, 4)
  shows(approval, 'phrd/MsgApproveUnlock', 'PATRQT')
  shows(fresh, 'phrd/MsgRelockVersions', '/1')
  shows(confirmed, 'phrd/MsgConfirmRelock', '/1')
}

await check('everything is locked anew, also where the page was closed in the middle', async () => {
  const { page } = dora
  await page.getByRole('link', { name: 'Lock records anew' }).click()
  await page.getByText('Nothing has to be locked anew.').waitFor()
  await looked(page, 'relock', pictures)
  await button(page, 'Lock everything anew: 2 versions').click()
  await locks()
  await page.getByText('1 of 2 locked anew').waitFor()
  // The second hospital's are asked for: here the page is closed.
  await page.getByRole('dialog').waitFor()
  let warned = false
  page.once('dialog', (dialog) => {
    warned = dialog.type() === 'beforeunload'
    void dialog.accept()
  })
  await page.reload()
  demand(warned, 'who closes the page is not told that it works')
  await button(page, 'Use the demo wallet').click()
  await button(page, 'Open with the wallet').click()
  await signs(page, 2)
  await page.getByText('1 version is left of all that you wanted to be locked anew.').waitFor()
  await looked(page, 'relock-left', pictures)
  await button(page, 'Lock it anew').click()
  await locks()
  await page.getByText('1 version was locked anew.').waitFor()
  await page.getByText('Nothing has to be locked anew.').waitFor()
})

await check('what was asked for before is void, and what is asked for now opens', async () => {
  const { page } = dora
  const before = await network.as(er, 'clinician', 'unlock', 'show', voided)
  demand(String(before['status']).toLowerCase() === 'withdrawn', `the former request is ${String(before['status'])}`)
  const unlock = await asked(records[0] ?? '')
  await network.as(1, 'officer', 'unlock', 'endorse', unlock)
  await way(page, 'Requests')
  const card = page.getByRole('article', { name: unlock.slice(0, 8) })
  await card.getByRole('button', { name: 'Check this request' }).click()
  await card.getByRole('button', { name: 'Approve' }).click()
  await signs(page)
  await page.getByText('Approved. The hospitals give their half now.').waitFor()
  const out = join(home, 'anew-opened.bin')
  await network.as(er, 'clinician', 'record', 'open', `${records[0]}/1`, '--unlock', unlock, '-o', out)
  demand(sum(await readFile(out)) === sum(files[0]), 'what was opened is what was stored')
})

interface Archived {
  readonly record: string
  readonly version: number
  readonly file: string
  readonly name: string
  readonly size: number
  readonly sha256: string
}

/** made signs what an archive of both hospitals' needs, and saves the file. */
async function made(name: string): Promise<string> {
  const { page } = dora
  await button(page, 'Make the file').click()
  await signs(page, 6)
  await page.getByText(/^The file is ready: 2 versions/).waitFor()
  const download = page.waitForEvent('download')
  await button(page, 'Save the file').click()
  const path = join(home, name)
  await (await download).saveAs(path)
  return path
}

/** isWhole demands that an archive holds both files, and says so in its index. */
async function isWhole(archive: string): Promise<void> {
  const folder = join(home, 'archive')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder)
  await run('tar', ['xf', archive, '-C', folder])
  const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as Archived[]
  demand(index.map((v) => v.record).sort().join() === [...records].sort().join(), 'the index names both records')
  for (const v of index) {
    const [bytes, wanted] = [await readFile(join(folder, v.file)), files[records.indexOf(v.record)]]
    demand(wanted !== undefined && v.size === wanted.length && v.sha256 === sum(wanted) && sum(bytes) === v.sha256, `${v.file} is what was stored`)
  }
}

await check('all records are taken along in a file that the tool age opens with a key', async () => {
  const { page } = dora
  await way(page, 'Records')
  await page.getByRole('link', { name: 'Take everything along' }).click()
  await heading(page, 'Take everything along').waitFor()
  await page.getByLabel('Whoever has a key of age').check()
  await page.getByLabel('Keys, one a line').fill('age1nobody')
  await button(page, 'Make the file').click()
  await page.getByText('age1nobody is no key of age.').waitFor()
  const identity = await generateX25519Identity()
  await page.getByLabel('Keys, one a line').fill(await identityToRecipient(identity))
  await looked(page, 'archive', pictures)
  const path = await made('records-key.tar.age')
  await looked(page, 'archive-made', pictures)
  const key = join(home, 'identity')
  await writeFile(key, `${identity}\n`, { mode: 0o600 })
  await run(age, ['-d', '-i', key, '-o', join(home, 'records.tar'), path])
  await isWhole(join(home, 'records.tar'))
  await button(page, 'Remove the copy from this browser').click()
  await page.getByText('The copy was removed.').waitFor()
})

await check('a passphrase opens such a file, and no other does', async () => {
  const { page } = dora
  const passphrase = 'seven words that nobody else knows'
  const type = async (first: string, second: string) => {
    await page.getByLabel('Passphrase, at least 12 characters').fill(first)
    await page.getByLabel('The passphrase again').fill(second)
  }
  for (const [first, second, said] of [['short', 'short', /too short/], [passphrase, `${passphrase}!`, /two different/]] as const) {
    await type(first, second)
    await button(page, 'Make the file').click()
    await page.getByRole('alert').getByText(said).waitFor()
  }
  await type(passphrase, passphrase)
  const sealed = await readFile(await made('records-words.tar.age'))
  const opened = new Decrypter()
  opened.addPassphrase(passphrase)
  await writeFile(join(home, 'records.tar'), await opened.decrypt(sealed))
  await isWhole(join(home, 'records.tar'))
  const other = new Decrypter()
  other.addPassphrase(`${passphrase}!`)
  demand(await other.decrypt(sealed).then(() => false, () => true), 'another passphrase opens it')
})

await check('a version that is erased is refused to everybody, and each hospital says that it deleted it', async () => {
  const { page } = dora
  const [, record = ''] = records
  await way(page, 'Records')
  const card = page.getByRole('article').filter({ hasText: record })
  await card.getByText('Erase …').click()
  await card.getByText('Erasing is for good.').waitFor()
  await looked(page, 'erase', pictures)
  await button(page, 'Erase it for good').click()
  shows((await signs(page))[0], 'phrd/MsgEraseVersions', `${record}/1`)
  await card.getByText(/^Erased .*: refused to everybody since then/).waitFor()
  await until(async () => (await card.getByText(/ deleted it .*backups/).count()) >= 3 && (await card.getByText('has not said yet').count()) === 0)
  await looked(page, 'erased', pictures)
  demand(await asked(record).then(() => false, () => true), 'an erased version can be asked for')
  await network.as(er, 'clinician', 'unlock', 'withdraw', await asked(records[0] ?? ''))
})

await check('these pages speak German, in the dark', async () => {
  const { page } = dora
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.getByLabel('Language').selectOption('de')
  for (const [at, title] of [['relock', 'Akten neu verschließen'], ['archive', 'Alles mitnehmen'], ['hand-over', 'Für Ihr Kind']] as const) {
    await way(page, 'Ihr Tresor')
    await page.getByRole('link', { name: title }).click()
    await heading(page, title).waitFor()
    await page.getByText('Einen Moment …').first().waitFor({ state: 'detached' })
    await looked(page, `german-${at}`, pictures)
  }
})

await check('none of these pages broke a policy', async () => {
  demand(dora.faults.length === 0, dora.faults.join('\n'))
})
