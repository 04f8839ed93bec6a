import { base64 } from '@scure/base'
import { cidOf, cidText } from '#custody/cid.js'
import { commit } from '#custody/deal.js'
import { encapsulate, proveEncapsulation } from '#custody/encap.js'
import { type Bytes, equal, randomBytes } from '#custody/encoding.js'
import { encodeShares, type GuardianSlot, guardianContext, guardianInfo, guardianLabel, sealGuardianShare } from '#custody/guardians.js'
import * as hybrid from '#custody/hybrid.js'
import { idText, parseIDText } from '#custody/id.js'
import { encodePoint, type Point } from '#custody/point.js'
import { evaluate } from '#custody/polynomial.js'
import { Refusal } from '#custody/refusal.js'
import { encodeScalar, randomScalar, type Scalar } from '#custody/scalar.js'
import { guardiansSecret } from '#custody/slot.js'
import type { Client } from '../client.js'
import { isKind, PhrdError } from '../errors.js'
import type { Connection } from '../gateway/query.js'
import { Query as Access } from '../generated/phrd/access/v1/query_pb.js'
import { MsgSetGuardiansResponseSchema, MsgSetGuardiansSchema } from '../generated/phrd/access/v1/tx_pb.js'
import { KeyKind } from '../generated/phrd/custody/v1/key_pb.js'
import { Query as Records } from '../generated/phrd/records/v1/query_pb.js'
import { gasFor, type Receipt } from '../send.js'
import { type Generation, generationOf } from '../unlock/locked.js'
import { chooseWitnesses } from '../unlock/witnesses.js'
import type { VaultFile, VaultGuardians, VaultSlot } from '../vault/file.js'
import { slotOf } from '../vault/prepare.js'
import { parseAddress } from '../wallet/address.js'
import { guardiansOf } from './list.js'

/** GuardianWish says who together, and with the network's half, can open a vault when wallet, devices and recovery code are lost. */
export interface GuardianWish {
  /** Patient numbers, 2 to 8. */
  readonly numbers: readonly string[]
  /** How many of them are needed, at least 2. */
  readonly threshold: number
  /** Seconds between the last approval and the release, in which whoever has the wallet can cancel it; at least what the network asks for. */
  readonly delay: number
}

/** GuardianVaults are the guardians of a vault that is being written, with the keys to which the shares are sealed. */
export interface GuardianVaults extends GuardianWish {
  readonly generation: Generation
  readonly keys: readonly Bytes[]
}

/** guardiansFor reads what it takes to make guardians of a vault: those who are wanted, or where nothing is said those whom the patient has; undefined for none. Their keys are read at two hospitals, for a share that is sealed to another key is somebody else's. */
export async function guardiansFor(client: Client, patient: string, wish?: GuardianWish): Promise<GuardianVaults | undefined> {
  const wanted = wish ?? (await wishOf(client, patient))
  if (wanted === undefined) return undefined
  const { doors } = await chooseWitnesses(client, 0n)
  const [first, second] = await Promise.all(doors.map((door) => keysOf(door, client.network, wanted)))
  if (first === undefined || second === undefined) throw new PhrdError('unreachable', 'no two hospitals answer')
  if (!alike(first, second)) throw new PhrdError('disagree', `${doors.map((d) => d.name).join(' and ')} show other keys of the guardians`)
  return first
}

async function wishOf(client: Client, patient: string): Promise<GuardianWish | undefined> {
  const named = await guardiansOf(client, patient)
  return named === undefined ? undefined : { numbers: named.guardians, threshold: named.threshold, delay: Number(named.delay) }
}

async function keysOf(connection: Connection, net: Bytes, wish: GuardianWish): Promise<GuardianVaults> {
  let generation: Generation
  try {
    generation = await generationOf(connection, net, 0n, KeyKind.GUARDIANS)
  } catch (cause) {
    throw isKind(cause, 'not found') ? new PhrdError('not found', 'the hospitals have no key for guardians yet', cause) : cause
  }
  const keys: Bytes[] = []
  for (const guardian of wish.numbers) {
    try {
      keys.push(hybrid.parsePublicKey((await connection.query(Access.method.guardianKey, { guardian })).key))
    } catch (cause) {
      if (isKind(cause, 'not found')) throw new PhrdError('not found', `${guardian} is no patient of the network`, cause)
      throw cause instanceof Refusal ? new PhrdError('answer', `the key of guardian ${guardian} is none`, cause) : cause
    }
  }
  return { ...wish, generation, keys }
}

function alike(a: GuardianVaults, b: GuardianVaults): boolean {
  const isSameKey = equal(a.generation.gen, b.generation.gen)
  return isSameKey && a.keys.length === b.keys.length && a.keys.every((key, i) => equal(key, b.keys[i] ?? new Uint8Array()))
}

/** guardianSlot draws the guardians' secret, shares it, and makes the slot that it and the network's half open. */
export async function guardianSlot(file: VaultFile, g: GuardianVaults, kv: Bytes): Promise<{ readonly slot: VaultSlot; readonly guardians: VaultGuardians }> {
  const head = { kind: 'guardians', id: idText(randomBytes(16)), revision: file.revision } as const
  const place: GuardianSlot = { net: base64.decode(file.network), vault: parseIDText(file.vault), slot: parseIDText(head.id), revision: BigInt(file.revision) }
  const { polynomial, shares } = drawShares(g.threshold, g.keys.length)
  const commitments = commit(polynomial)
  const [A0, secret] = [commitments[0], polynomial[0]]
  if (A0 === undefined || secret === undefined) throw new PhrdError('vault', 'guardians need a threshold of at least 1')
  const sealed = await Promise.all(shares.map((share, i) => sealGuardianShare(guardianInfo(place, BigInt(i + 1), commitments), g.keys[i] ?? new Uint8Array(), share)))
  const { gen, X, key } = g.generation
  const r = randomScalar()
  const { U, UBar, K } = encapsulate(gen, X, r)
  const proof = proveEncapsulation(labelOf(place, gen, U, UBar, A0, file.address), gen, r)
  return {
    slot: await slotOf(file, head, guardiansSecret(encodeScalar(secret), K), kv),
    guardians: {
      guardians: g.numbers, threshold: g.threshold, delay: g.delay, slot: head.id, generation: Number(key.generation), commitments: commitments.map((c) => base64.encode(encodePoint(c))),
      u: base64.encode(encodePoint(U)), u_bar: base64.encode(encodePoint(UBar)), proof: base64.encode(proof), shares: base64.encode(encodeShares(sealed)),
    },
  }
}

// drawShares draws a polynomial until no share of it is zero, which a guardian's program would refuse.
function drawShares(threshold: number, guardians: number): { polynomial: readonly Scalar[]; shares: readonly Scalar[] } {
  for (;;) {
    const polynomial = Array.from({ length: threshold }, randomScalar)
    const shares = Array.from({ length: guardians }, (_, i) => evaluate(polynomial, BigInt(i + 1)))
    if (shares.every((share) => share !== 0n)) return { polynomial, shares }
  }
}

/** labelOf is the label of the proof of a guardian slot, which the owner's account signs. */
export function labelOf(place: GuardianSlot, gen: Bytes, U: Point, UBar: Point, A0: Point, owner: string): Bytes {
  return guardianLabel(guardianContext(place, gen), U, UBar, A0, parseAddress(owner))
}

/** setGuardians makes the guardians of a vault that was written known to the network. It does nothing where the vault has none, where they are known, and where the vault was written anew since. */
export async function setGuardians(client: Client, file: VaultFile): Promise<Receipt | undefined> {
  const g = file.guardians
  if (g === undefined) return undefined
  const known = await guardiansOf(client, file.patient)
  if (known?.revision === BigInt(file.revision)) return undefined
  const { patient } = await client.gateways.query(Records.method.patient, { id: file.patient })
  if (patient?.vault?.revision !== BigInt(file.revision)) return undefined
  const shares = bytesOf(g.shares)
  const cid = cidOf(shares)
  const hospital = await client.gateways.putBlocks([{ cid, block: shares }])
  const { receipt } = await client.send('amino', gasFor(g.guardians.length), MsgSetGuardiansSchema, {
    owner: client.signer.address, guardians: [...g.guardians], threshold: g.threshold, delay: delayText(g.delay), slot: g.slot, revision: BigInt(file.revision),
    generation: BigInt(g.generation), commitments: g.commitments.map(bytesOf), u: bytesOf(g.u), uBar: bytesOf(g.u_bar), proof: bytesOf(g.proof),
    shares: cidText(cid), sharesSize: BigInt(shares.length), hospital,
  }, MsgSetGuardiansResponseSchema)
  return receipt
}

function bytesOf(text: string): Bytes {
  return Uint8Array.from(base64.decode(text))
}

const day = 86_400

// delayText is a delay as a wallet shows it: whole days where it is that, else seconds.
function delayText(seconds: number): string {
  return seconds > 0 && seconds % day === 0 ? `${seconds / day} days` : `${seconds} seconds`
}
