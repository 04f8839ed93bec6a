import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auditReport, auditReportFile, Client, type Kind } from '../src/index.js'
import type { Transport } from '../src/gateway/door.js'
import { FakeNetwork } from './fake.js'

const found = {
  from: 0, until: 1_800_000_000, entries: 31, export_sha256: '07'.repeat(32), rules: { mass_patients: 20, mass_factor: 5, day_from: 6, day_to: 22 }, zones: { 1: 'Europe/Berlin' },
  findings: [
    { finding: 'mass_reading', day: '2026-11-02', account: 'phrd1reader', role: 'clinician', hospital: '1', kind: 'opened', count: '40', own_median: '2', peer_median: '1.5' },
    { finding: 'refused', hospital: '0', kind: 'login_failed', reason: 'signature', count: '3' },
  ],
}

// A client whose gateway answers an export with this; sent is what it was given.
async function auditor(answers: Record<string, () => Response>): Promise<{ client: Client; sent: string[] }> {
  const net = await FakeNetwork.make()
  net.who = { role: 'auditor', hospital: 0 }
  const sent: string[] = []
  const transport: Transport = (door) => async (url, init) => {
    const answer = answers[new URL(url).pathname + new URL(url).search]
    if (answer === undefined) return net.transport(door)(url, init)
    assert.equal(new Headers(init.headers).get('content-type'), 'application/x-ndjson')
    assert.ok(init.body instanceof Blob)
    sent.push(await init.body.text())
    return answer()
  }
  return { client: await Client.dial({ doors: [{ hospital: 0n, name: '', gateway: 'https://clinic.test', fingerprint: '' }], signer: net.alice, transport }), sent }
}

test('a report is made of the file that is given, and read cell by cell', async () => {
  const { client, sent } = await auditor({
    '/audit-reports?format=json': () => Response.json(found), '/audit-reports?format=html': () => new Response('<!doctype html>'), '/audit-reports?format=csv': () => new Response('finding,day'),
  })
  const file = new Blob(['{"head":…}\n'])
  const report = await auditReport(client, file)
  assert.deepEqual([report.from, report.until, report.entries, report.export, report.massPatients, report.massFactor, report.dayFrom, report.dayTo], [0n, 1_800_000_000n, 31n, found.export_sha256, 20, 5, 6, 22])
  assert.deepEqual([...report.zones], [['1', 'Europe/Berlin']])
  const [mass, refused] = report.findings
  assert.deepEqual([mass?.finding, mass?.day, mass?.count, mass?.ownMedian, mass?.peerMedian, mass?.reason], ['mass_reading', '2026-11-02', '40', '2', '1.5', ''])
  assert.deepEqual([refused?.finding, refused?.kind, refused?.reason, refused?.hospital, refused?.account], ['refused', 'login_failed', 'signature', '0', ''])
  assert.equal(await (await auditReportFile(client, file, 'html')).text(), '<!doctype html>')
  assert.equal(await (await auditReportFile(client, file, 'csv')).text(), 'finding,day')
  assert.deepEqual(new Set(sent), new Set(['{"head":…}\n']))
})

test('what is no report is not read as one', async () => {
  const { findings: [mass], ...rest } = found
  const others: object[] = [
    rest, { ...found, findings: 'none' }, { ...found, findings: [{ ...mass, finding: 'accused' }] }, { ...found, findings: [{ ...mass, count: 40 }] }, { ...found, entries: 'many' }, { ...found, rules: undefined },
  ]
  for (const other of others) {
    const { client } = await auditor({ '/audit-reports?format=json': () => Response.json(other) })
    await assert.rejects(auditReport(client, new Blob(['x'])), { kind: 'answer' satisfies Kind }, JSON.stringify(other))
  }
  const refusal = () => Response.json({ title: 'Unprocessable Entity', detail: 'no report is made of it' }, { status: 422 })
  const { client } = await auditor({ '/audit-reports?format=json': refusal })
  await assert.rejects(auditReport(client, new Blob(['x'])), { status: 422 })
})
