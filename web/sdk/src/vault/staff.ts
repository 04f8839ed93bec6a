import { type Bytes, randomBytes } from '#custody/encoding.js'
import * as hybrid from '#custody/hybrid.js'
import { recipientKind } from '#custody/kinds.js'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import type { Principal } from '../generated/phrd/consortium/v1/member_pb.js'
import { Query as Consortium } from '../generated/phrd/consortium/v1/query_pb.js'
import { MsgPublishStaffVaultResponseSchema, MsgPublishStaffVaultSchema } from '../generated/phrd/consortium/v1/tx_pb.js'
import { gasBase } from '../send.js'
import { parseAddress } from '../wallet/address.js'
import type { Holder } from './half.js'
import { inParts } from './prepare.js'

/** StaffVault says how it stands with a clinician's vault, to which patients who consent have versions sealed. */
export interface StaffVault {
  /** The newest epoch that is published; 0 for none. */
  readonly epoch: bigint
  /** Whether this device holds the key of that epoch. */
  readonly isHere: boolean
}

/** staffVault tells how it stands with the account's vault. */
export async function staffVault(client: Client): Promise<StaffVault> {
  const { vaultEpoch: epoch } = await principalNow(client)
  return { epoch, isHere: epoch > 0n && (await staffSeed(client, epoch)) !== undefined }
}

/** publishVault makes sure that the clinician has a vault whose newest key this device holds, and gives its epoch. Where there is none, or another device has the key, it draws one, keeps it in Secrets, and publishes its public half. What was sealed to a key that is lost opens with the patient's approval. The error is a Refused for accounts that are no clinician's. */
export async function publishVault(client: Client): Promise<bigint> {
  const { epoch, isHere } = await staffVault(client)
  return isHere ? epoch : publish(client, epoch + 1n)
}

/** rotateVault gives the clinician's vault another key, and gives its epoch. Former keys stay on this device and open what was sealed to them. */
export async function rotateVault(client: Client): Promise<bigint> {
  return publish(client, (await principalNow(client)).vaultEpoch + 1n)
}

// The key is kept first: one that was drawn by a try that was cut is taken up again.
async function publish(client: Client, epoch: bigint): Promise<bigint> {
  let seed = await staffSeed(client, epoch)
  if (seed === undefined) {
    seed = randomBytes(32)
    await client.secrets.put(nameOf(client, epoch), seed)
  }
  const vaultKey = inParts(await hybrid.publicKey(seed))
  await client.send('amino', gasBase, MsgPublishStaffVaultSchema, { staff: client.signer.address, epoch, vaultKey }, MsgPublishStaffVaultResponseSchema)
  return epoch
}

/** staffHolder is the account's vault as far as this device holds it: it opens halves that patients' consents had sealed to it. */
export function staffHolder(client: Client): Holder {
  return { kind: BigInt(recipientKind.staff), id: parseAddress(client.signer.address), seed: (epoch) => staffSeed(client, epoch) }
}

/** principalNow is what the chain says of the account now. */
export async function principalNow(client: Client): Promise<Principal> {
  const { principal } = await client.gateways.query(Consortium.method.principal, { address: client.signer.address })
  if (principal === undefined) throw new PhrdError('answer', 'no principal is shown')
  return principal
}

async function staffSeed(client: Client, epoch: bigint): Promise<Bytes | undefined> {
  const seed = await client.secrets.get(nameOf(client, epoch))
  return seed === undefined ? undefined : Uint8Array.from(seed)
}

// The names are those of the command `phrd`.
function nameOf(client: Client, epoch: bigint): string {
  return `vault/staff/${client.signer.address}/${epoch}`
}
