import { useSignal } from '@preact/signals'
import { Refusal } from '#custody/refusal.js'
import { type Report, verify } from '#verify/verify.js'
import { reportLines } from '#verify/report.js'
import { parseTrustedBlock, parseWitnessKey, readGenesis, type Trust } from '#verify/trust.js'
import { Action, ErrorNote } from '../view/action'
import { auditorWords } from '../words/auditor/words'
import { sizeText } from '../words/words'
import { csvOf } from './csv'
import { Entries } from './entries'
import { fromFile, type Line } from './line'
import { pieces } from './pieces'
import { save } from './save'

const mostKept = 10_000
const shown = 10

interface Proof {
  readonly name: string
  readonly report: Report
  readonly trust: Trust
  readonly lines: readonly Line[]
}

/** Verify proves what an export of the log claims, in this browser and without a server. */
export function Verify() {
  const a = auditorWords.value
  const [file, genesis] = [useSignal<File | undefined>(undefined), useSignal<File | undefined>(undefined)]
  const [byBlock, block, keys] = [useSignal(false), useSignal(''), useSignal('')]
  const [done, proof, fault] = [useSignal<number | undefined>(undefined), useSignal<Proof | undefined>(undefined), useSignal<unknown>(undefined)]

  const trusted = async (): Promise<Trust> => {
    const witnesses = keys.value.split('\n').filter((line) => line.trim() !== '').map(parseWitnessKey)
    if (byBlock.value) return { from: parseTrustedBlock(block.value), witnesses }
    if (genesis.value === undefined) throw new Error(a.needGenesis)
    return { from: readGenesis(new Uint8Array(await genesis.value.arrayBuffer())), witnesses }
  }
  const prove = async () => {
    ;[proof.value, fault.value] = [undefined, undefined]
    const chosen = file.value
    if (chosen === undefined) throw new Error(a.needFile)
    const trust = await trusted()
    const lines: Line[] = []
    try {
      const report = await verify(pieces(chosen, (bytes) => (done.value = bytes)), trust, (entry) => {
        if (lines.length < mostKept) lines.push(fromFile(entry))
      })
      proof.value = { name: chosen.name, report, trust, lines }
    } catch (cause) {
      fault.value = cause
    } finally {
      done.value = undefined
    }
  }
  return (
    <section>
      <h1>{a.verifyTitle}</h1>
      <p>{a.verifyText}</p>
      <div class="fields">
        <label>{a.file}<input type="file" accept=".ndjson,application/x-ndjson" onChange={(e) => (file.value = e.currentTarget.files?.[0])} /></label>
        <fieldset>
          <legend>{a.trustWhat}</legend>
          <label class="choice"><input type="radio" name="trust" checked={!byBlock.value} onChange={() => (byBlock.value = false)} /> {a.trustGenesis}</label>
          <label class="choice"><input type="radio" name="trust" checked={byBlock.value} onChange={() => (byBlock.value = true)} /> {a.trustBlock}</label>
          {byBlock.value ? (
            <label>{a.block}<input class="long" autocomplete="off" spellcheck={false} value={block.value} onInput={(e) => (block.value = e.currentTarget.value)} /></label>
          ) : (
            <label>{a.genesis}<input type="file" accept=".json,application/json" onChange={(e) => (genesis.value = e.currentTarget.files?.[0])} /></label>
          )}
        </fieldset>
        <label>{a.witnesses}<textarea rows={2} autocomplete="off" spellcheck={false} value={keys.value} onInput={(e) => (keys.value = e.currentTarget.value)} /></label>
      </div>
      <Action run={prove}>{a.verify}</Action>
      <div aria-live="polite">{done.value !== undefined && file.value !== undefined && <p>{a.verifying(sizeText(BigInt(done.value)), sizeText(BigInt(file.value.size)))}</p>}</div>
      {fault.value !== undefined && <Refused cause={fault.value} />}
      {proof.value !== undefined && <Proven proof={proof.value} />}
    </section>
  )
}

function Refused({ cause }: { cause: unknown }) {
  return (
    <div class="verdict failed">
      <h2>{auditorWords.value.provesNothing}</h2>
      {cause instanceof Refusal ? <p role="alert" class="long">{cause.message}</p> : <ErrorNote cause={cause} />}
    </div>
  )
}

function Proven({ proof: { name, report, trust, lines } }: { proof: Proof }) {
  const a = auditorWords.value
  return (
    <>
      <div class="verdict passed" role="status">
        <h2>{a.proven}</h2>
        <p>{a.provenText}</p>
        <dl translate={false}>
          {reportLines(report, trust, a.report).map(([what, text], i) => (
            <Fact key={i} what={what} text={text} />
          ))}
        </dl>
        {'network' in trust.from && <p>{a.compareGenesis}</p>}
      </div>
      {lines.length > 0 && (
        <section>
          <h2>{a.entriesTitle}</h2>
          {report.entries > BigInt(shown) && <p>{a.firstOf(shown, String(report.entries))}</p>}
          <Entries lines={lines.slice(0, shown)} />
          {report.entries <= BigInt(mostKept) && (
            <button type="button" class="plain" onClick={() => save(`${name}.csv`, 'text/csv;charset=utf-8', [csvOf(lines)])}>{a.saveList}</button>
          )}
        </section>
      )}
    </>
  )
}

function Fact({ what, text }: { what: string; text: string }) {
  return (
    <>
      <dt>{what}</dt>
      <dd>{text}</dd>
    </>
  )
}
