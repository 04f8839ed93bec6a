import { cidOf, cidText } from '#custody/cid.js'
import { type Bytes, equal } from '#custody/encoding.js'
import { encodeEnvelope, type Envelope, inOrder, ownKeyHashes } from '#custody/envelope.js'
import { encodePoint } from '#custody/point.js'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import { MsgReplaceEnvelopesResponseSchema, MsgReplaceEnvelopesSchema } from '../generated/phrd/records/v1/tx_pb.js'
import { gasFor } from '../send.js'
import { type LockedVersion, openEnvelope } from '../unlock/locked.js'
import { locksFor } from '../unlock/propose.js'
import type { Vault } from '../vault/open.js'
import { parseAddress } from '../wallet/address.js'
import { alike } from './alike.js'
import { type BoxTerms, boxTerms, gasBox, newBox, type ProvenBox } from './box.js'
import { ownHalf, type VaultKey } from './lock.js'
import { mostBoxed, mostOwned } from './most.js'
import { type Ref, refText } from './ref.js'

/** ResealOptions say what becomes of emergency boxes, and who is told. */
export interface ResealOptions {
  /** Gives versions the boxes that their patient agrees to, or none. Without it those that are there stay as they are, as long as the patient agrees. */
  readonly boxes?: boolean
  /** Told how many versions are done. */
  readonly tell?: (done: number) => void
}

/** reseal gives versions that the patient owns envelopes that are sealed to the vault's newest key, to those of whom live consents let open them, and to no other. The locks stay, so that nothing has to be released. After an error those that are done stay so, and it can be called again. The wallet signs once for up to 64 versions, or 32 where they are given boxes. */
export async function reseal(client: Client, vault: Vault, refs: readonly Ref[], options: ResealOptions = {}): Promise<void> {
  const locked = refs.length === 0 ? [] : await locksFor(client, refs)
  const patient = await client.patient()
  const boxes = await boxTerms(client, patient)
  const most = options.boxes === true && boxes !== undefined ? mostBoxed : mostOwned
  let done = 0
  for (const { versions, to } of await alike(client, vault, locked, most)) {
    await resealGroup(client, vault, versions, to, boxes, options.boxes === true)
    options.tell?.((done += versions.length))
  }
}

async function resealGroup(client: Client, vault: Vault, group: readonly LockedVersion[], to: readonly VaultKey[], terms: BoxTerms | undefined, replaceBoxes: boolean): Promise<void> {
  const signer = parseAddress(client.signer.address)
  const made: { version: LockedVersion; envelope: Envelope; block: Bytes; box: ProvenBox | undefined }[] = []
  for (const version of group) {
    const before = openEnvelope(version, await client.gateways.smallBlock(version.envelope, `version=${encodeURIComponent(refText(version))}`))
    const p = await vault.ownerHalf(version, before)
    const own = inOrder(await Promise.all(to.map((key) => ownHalf(version.ctx, version.U, key, p))))
    const isKept = !replaceBoxes && (terms !== undefined || before.emergency === undefined)
    const box = isKept || terms === undefined ? undefined : await newBox(terms, { ctx: version.ctx, U: version.U, pc: version.pc, p }, signer)
    const { emergency, ...rest } = before
    const kept = isKept ? emergency : box?.block
    const envelope: Envelope = { ...rest, own, ...(kept === undefined ? {} : { emergency: kept }) }
    const block = encodeEnvelope(envelope)
    // It must open as it will be opened later.
    if (!equal(await vault.ownerHalf(version, openEnvelope(version, block)), p)) throw new PhrdError('vault', `version ${refText(version)}: the new envelope does not open`)
    p.fill(0)
    made.push({ version, envelope, block, box })
  }
  const [first] = made
  if (first === undefined) return
  const hospital = await client.gateways.putBlocks(made.map(({ block }) => ({ cid: cidOf(block), block })))
  const boxes = made.flatMap(({ box }) => box ?? [])
  await client.send('amino', gasFor(made.length) + gasBox * BigInt(boxes.length), MsgReplaceEnvelopesSchema, {
    owner: client.signer.address, hospital, versions: made.map(({ version }) => refText(version)), u: made.map(({ version }) => encodePoint(version.U)),
    envelopes: made.map(({ block }) => cidText(cidOf(block))), envelopeSizes: made.map(({ block }) => block.length), ownKeys: [...ownKeyHashes(first.envelope)],
    boxGeneration: boxes[0]?.lock.generation ?? 0n, boxU: boxes.map((b) => b.lock.u), boxUBar: boxes.map((b) => b.lock.uBar), boxHashes: boxes.map((b) => b.lock.hash),
    boxProofs: boxes.map((b) => b.proof),
  }, MsgReplaceEnvelopesResponseSchema)
}
