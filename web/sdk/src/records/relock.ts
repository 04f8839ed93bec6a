import { cidText } from '#custody/cid.js'
import { type Bytes, equal } from '#custody/encoding.js'
import { encodePoint } from '#custody/point.js'
import { Refusal } from '#custody/refusal.js'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import { MsgConfirmRelockResponseSchema, MsgConfirmRelockSchema, MsgRelockVersionsResponseSchema, MsgRelockVersionsSchema } from '../generated/phrd/records/v1/tx_pb.js'
import { Query as Storage } from '../generated/phrd/storage/v1/query_pb.js'
import { arrived, poll } from '../poll.js'
import { gasFor } from '../send.js'
import { generationOf, type LockedVersion, openEnvelope } from '../unlock/locked.js'
import { type DataKey, dataKeys } from '../unlock/open.js'
import { ownUnlock } from '../unlock/own.js'
import { locksFor } from '../unlock/propose.js'
import { forgetSession } from '../unlock/session.js'
import type { Vault } from '../vault/open.js'
import { parseAddress } from '../wallet/address.js'
import { type Alike, alike } from './alike.js'
import { boxTerms, gasBox } from './box.js'
import { type Locked, lockVersion } from './lock.js'
import { compareRefs, type Ref, refText } from './ref.js'

/** Relocking says how long to wait, and who is told. */
export interface Relocking {
  /** Ends the work: nothing more is begun, and what is awaited is awaited no longer. */
  readonly signal: AbortSignal
  /** Told how many versions are done. */
  readonly tell?: (done: number) => void
}

/**
 * relock locks versions that the patient owns anew: under fresh halves of their keys, the newest key of the network, and sealed to the vault's newest key and those of whom
 * live consents let open them, and to no other. It is for when somebody else may have the vault's former key or a consent has ended, and when the network has another
 * generation of its key. The patient asks for the versions and approves it, which is in the log; the ciphertext stays where it is. Who has opened a version before has
 * seen it.
 *
 * The wallet signs four times for up to 64 versions. They take effect together when enough hospitals hold their new envelopes; until then the former locks hold. After
 * an error, or when the program was closed, those that are done stay so, and the others can be locked anew again. Errors are those of openUnlock, of kind 'not copied' where
 * the signal ends while copies are awaited, and a Refused.
 */
export async function relock(client: Client, vault: Vault, refs: readonly Ref[], { signal, tell }: Relocking): Promise<void> {
  let done = 0
  for (const group of await alike(client, vault, await locksFor(client, refs))) {
    signal.throwIfAborted()
    const unlock = await ownUnlock(client, vault, group.versions)
    const waiting = await lockGroup(client, group, await dataKeys(client, unlock, signal))
    await confirmGroup(client, vault, waiting, signal)
    // Unlocks of the former locks are void from that block on.
    await forgetSession(client.secrets, unlock)
    tell?.((done += group.versions.length))
  }
}

/** A version with its new lock, which waits. */
interface Waiting {
  readonly version: LockedVersion
  readonly locked: Locked
  readonly dek: Bytes
}

// lockGroup locks versions whose data keys were opened anew, and has their new locks wait.
async function lockGroup(client: Client, { versions, to }: Alike, keys: readonly DataKey[]): Promise<Waiting[]> {
  const generation = await generationOf(client.gateways, client.network, 0n)
  const box = await boxTerms(client, await client.patient())
  const signer = parseAddress(client.signer.address)
  const waiting: Waiting[] = []
  for (const version of versions) {
    const [key, header] = [keys.find((k) => compareRefs(k.version, version) === 0), version.stored.header]
    if (key === undefined || header === undefined) throw new PhrdError('proposal', `the unlock does not name version ${refText(version)}`)
    const locked = await lockVersion({
      net: client.network, record: version.record, version: version.version, ownerKind: BigInt(header.ownerKind), ownerID: ownerOf(to), custodian: header.custodian,
      generation, recipients: to, signer, box,
    }, { object: version.object, manifest: key.manifest, dek: key.dek })
    waiting.push({ version, locked, dek: key.dek })
  }
  const [first] = waiting
  if (first === undefined) throw new TypeError('nothing is to be locked anew')
  const all = waiting.map(({ locked }) => locked)
  const hospital = await client.gateways.putBlocks(all)
  const boxes = all.flatMap((l) => l.box ?? [])
  await client.send('amino', gasFor(all.length) + gasBox * BigInt(boxes.length), MsgRelockVersionsSchema, {
    owner: client.signer.address, hospital, versions: versions.map(refText), generation: generation.key.generation,
    u: all.map((l) => encodePoint(l.envelope.U)), uBar: all.map((l) => encodePoint(l.envelope.UBar)), c: all.map((l) => l.envelope.c), pc: all.map((l) => l.envelope.pc),
    proofs: all.map((l) => l.proof), envelopes: all.map((l) => cidText(l.cid)), envelopeSizes: all.map((l) => l.block.length), ownKeys: [...first.locked.ownKeys],
    boxGeneration: boxes[0]?.lock.generation ?? 0n, boxU: boxes.map((b) => b.lock.u), boxUBar: boxes.map((b) => b.lock.uBar), boxHashes: boxes.map((b) => b.lock.hash),
    boxProofs: boxes.map((b) => b.proof),
  }, MsgRelockVersionsResponseSchema)
  return waiting
}

// The patient's own vault is the first to which versions are sealed.
function ownerOf(to: Alike['to']): Uint8Array {
  const [owner] = to
  if (owner === undefined) throw new TypeError('a version is sealed to nobody')
  return owner.id
}

// confirmGroup waits until enough hospitals hold the new envelopes, opens each with the vault and the network's half, and has the chain put the new locks in the place of the former ones.
async function confirmGroup(client: Client, vault: Vault, waiting: readonly Waiting[], signal: AbortSignal): Promise<void> {
  for (const { version, locked, dek } of waiting) {
    await copied(client, locked, signal)
    const block = await client.gateways.smallBlock(locked.cid, `version=${encodeURIComponent(refText(version))}`)
    await opensAgain(vault, lockedAnew(version, locked), locked, block, dek)
  }
  await client.send('amino', gasFor(waiting.length), MsgConfirmRelockSchema, {
    owner: client.signer.address, versions: waiting.map(({ version }) => refText(version)), u: waiting.map(({ locked }) => encodePoint(locked.envelope.U)),
  }, MsgConfirmRelockResponseSchema)
}

/** lockedAnew is a version as it is once its new lock is in place. */
export function lockedAnew(version: LockedVersion, { ctx, cid, envelope }: Locked): LockedVersion {
  const [c, pc, dc] = [envelope.c, envelope.pc, envelope.dc].map((hash) => Uint8Array.from(hash)) as [Bytes, Bytes, Bytes]
  return { ...version, ctx, U: envelope.U, c, pc, dc, envelope: cid }
}

/** opensAgain demands that a version opens by its new lock, with the vault's half in the envelope that came back and the network's that was drawn: a lock that nobody has seen open must not become the only one. */
export async function opensAgain(vault: Vault, fresh: LockedVersion, locked: Locked, block: Bytes, dek: Bytes): Promise<void> {
  try {
    const back = openEnvelope(fresh, block)
    const p = await vault.ownerHalf(fresh, back)
    p.fill(0)
    if (!equal(await locked.unlock(back), dek)) throw new Refusal('it opens another key')
  } catch (cause) {
    throw cause instanceof Refusal ? new PhrdError('vault', `version ${refText(fresh)} does not open by its new lock: ${cause.message}`, cause) : cause
  }
}

// copied waits until as many places hold an envelope as its minimum asks for.
async function copied(client: Client, locked: Locked, signal: AbortSignal): Promise<void> {
  const isSafe = async () => {
    const { object, held } = await arrived(() => client.gateways.query(Storage.method.object, { cid: cidText(locked.cid) }))
    return object !== undefined && held >= object.minimum ? true : undefined
  }
  try {
    await poll(signal, isSafe)
  } catch (cause) {
    throw signal.aborted ? new PhrdError('not copied', `envelope ${cidText(locked.cid)}: not enough hospitals hold it yet`, cause) : cause
  }
}
