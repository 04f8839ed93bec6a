import { base64 } from '@scure/base'
import { parseChest } from '#custody/chest.js'
import { cidText, parseCIDText, parseRawCID } from '#custody/cid.js'
import { parseCodeWords } from '#custody/code.js'
import { checkSubShare } from '#custody/deal.js'
import { randomBytes } from '#custody/encoding.js'
import { joinGuardians, openShareCapsule, shareCapsuleInfo } from '#custody/guardians.js'
import { parseIDText } from '#custody/id.js'
import type { Point } from '#custody/point.js'
import { Refusal } from '#custody/refusal.js'
import type { Scalar } from '#custody/scalar.js'
import type { Session } from '#custody/session.js'
import { guardiansSecret } from '#custody/slot.js'
import type { Client } from '../client.js'
import { isKind, PhrdError } from '../errors.js'
import { elsewhere } from '../gateway/gateways.js'
import { MsgFinishRecoveryResponseSchema, MsgFinishRecoverySchema } from '../generated/phrd/access/v1/tx_pb.js'
import { type RecoveryApproval, RecoveryStatus, RecoveryWay } from '../generated/phrd/access/v1/recovery_pb.js'
import { setGuardians } from '../guardians/name.js'
import { gasBase } from '../send.js'
import { combineRelease } from '../unlock/release.js'
import { forgetSession, sessionOf } from '../unlock/session.js'
import { slotsOf } from '../vault/fetch.js'
import { vaultBlock, type VaultFile } from '../vault/file.js'
import { kvOf, opened, Vault } from '../vault/open.js'
import { inParts } from '../vault/prepare.js'
import { type NextVault, prepareVault } from '../vault/write.js'
import { checkRecovery, type CheckedRecovery, recoveryReason } from './checked.js'
import { recoveryAt, type SeenRecovery } from './list.js'

/** ReadyVault is the vault of the patient of a recovery, as the lost wallet had it, and open. */
export interface ReadyVault {
  readonly former: VaultFile
  readonly vault: Vault
}

/** readyVault opens the vault of the patient of a recovery that is ready: with the shares that guardians gave and the network's half, or where hospitals approved with the recovery code. Errors are of kind 'not ready', 'ended', 'session', 'vault' and 'proposal'. */
export async function readyVault(client: Client, number: bigint, words: string): Promise<ReadyVault> {
  const seen = await checkRecovery(client.gateways, client.network, number)
  demandReady(seen)
  const former = await formerVault(client, seen)
  const kv = seen.checked === undefined ? await kvOf(former, 'code', async () => given(words)) : await kvByGuardians(client, former, number)
  return { former, vault: await opened(former, kv) }
}

function given(words: string) {
  try {
    return parseCodeWords(words)
  } catch (cause) {
    throw cause instanceof Refusal ? new PhrdError('vault', cause.message, cause) : cause
  }
}

function demandReady({ recovery, status }: SeenRecovery): void {
  switch (status) {
    case RecoveryStatus.READY:
      return
    case RecoveryStatus.PROPOSED:
      throw new PhrdError('not ready', `recovery ${recovery.number} has ${recovery.approvals.length} of ${recovery.needed} approvals`)
    case RecoveryStatus.DELAYED:
    case RecoveryStatus.DUE:
      throw new PhrdError('not ready', `recovery ${recovery.number} waits for its delay, or for the hospitals’ shares`)
    default:
      throw new PhrdError('ended', `recovery ${recovery.number} has ended`)
  }
}

// The vault as the lost wallet had it.
async function formerVault(client: Client, seen: SeenRecovery): Promise<VaultFile> {
  const head = formerHead(client, seen)
  const chest = parseChest(await recoveryBlock(client, seen.recovery.number, seen.vault?.blob ?? ''))
  return { ...head, blob: base64.encode(chest.vault), slots: slotsOf(chest) }
}

function formerHead(client: Client, { recovery, vault }: SeenRecovery): Omit<VaultFile, 'blob' | 'slots'> {
  if (vault === undefined) throw new PhrdError('answer', 'no vault is shown')
  return {
    patient: recovery.patient, address: recovery.former, chain_id: client.chainID, network: base64.encode(client.network), vault: vault.id, epoch: Number(vault.epoch),
    revision: Number(vault.revision), key: base64.encode(vault.key),
  }
}

async function recoveryBlock(client: Client, number: bigint, cid: string) {
  return client.gateways.smallBlock(parseRawCID(parseCIDText(cid)), recoveryReason(number))
}

// kvByGuardians joins guardians' shares and the network's half to what opens their slot.
async function kvByGuardians(client: Client, former: VaultFile, number: bigint) {
  // A gateway that shows wrong shares, holders or guardians is passed over for another one.
  const onward = (cause: unknown) => elsewhere(cause) || isKind(cause, 'proposal') || cause instanceof Refusal
  const { approvals, checked, session, half } = await client.gateways.try(async (gateway) => {
    const { recovery, checked } = await checkRecovery(gateway, client.network, number)
    if (checked === undefined) throw new PhrdError('ended', `recovery ${number} has ended`)
    const session = await sessionOf(client.secrets, recovery.unlock)
    if (!checked.proposal.B.equals(session.B)) throw new PhrdError('session', `recovery ${number} was proposed by another session`)
    const M = checked.proposal.versions.map((v) => v.M)
    const { K } = await combineRelease(gateway, session, { net: client.network, unlock: checked.id, gen: checked.slot.generation.gen, M }, checked.slot.generation.key)
    return { approvals: recovery.approvals, checked, session, half: first(K) }
  }, onward)
  const shares = await givenShares(client, number, approvals, checked, session)
  const secret = guardiansSecret(joinGuardians(checked.slot.commitments, shares), half)
  return kvOf(former, 'guardians', async () => secret)
}

function first(K: readonly Point[]): Point {
  const [half] = K
  if (half === undefined) throw new PhrdError('not ready', 'the hospitals gave no half')
  return half
}

// givenShares opens what guardians sealed for a recovery. One that is not there, or is wrong, does not count.
async function givenShares(
  client: Client, number: bigint, approvals: readonly RecoveryApproval[], checked: CheckedRecovery, session: Session,
): Promise<{ at: bigint; share: Scalar }[]> {
  const { guardians, commitments } = checked.slot
  const shares: { at: bigint; share: Scalar }[] = []
  let fault: unknown
  for (const approval of approvals) {
    const at = BigInt(guardians.guardians.indexOf(approval.guardian) + 1)
    if (at === 0n) continue
    try {
      const capsule = await recoveryBlock(client, number, approval.capsule)
      const share = await openShareCapsule(shareCapsuleInfo(client.network, checked.id, at), session.keySeed, capsule)
      checkSubShare(commitments, at, share)
      shares.push({ at, share })
    } catch (cause) {
      if (!(cause instanceof Refusal) && !isKind(cause, 'not found', 'block', 'unreachable')) throw cause
      fault = cause
    }
  }
  if (shares.length < commitments.length) throw new PhrdError('not ready', `${shares.length} of ${commitments.length} guardians’ shares are there`, fault)
  return shares
}

/** prepareEmpty makes a vault for the patient of a recovery that hospitals approved and that is ready, where nobody has the recovery code: with a fresh key, to which versions are locked from then on. What was stored before stays shut. The caller keeps the file, shows the code, and then calls finishRecovery. Errors are of kind 'not ready', 'ended' and 'vault'. */
export async function prepareEmpty(client: Client, number: bigint): Promise<NextVault> {
  const seen = await recoveryAt(client.gateways, number)
  demandReady(seen)
  if (seen.recovery.way === RecoveryWay.GUARDIANS) throw new PhrdError('vault', `guardians open the vault of recovery ${number}`)
  const former = { ...formerHead(client, seen), blob: '', slots: [] }
  const epoch = BigInt(former.epoch + 1)
  const vault = new Vault(parseIDText(former.patient), [{ epoch, seed: randomBytes(32) }], randomBytes(32))
  return prepareVault(client, former, vault, { guardians: 'none' })
}

/** prepareRecovered makes the vault that follows the one which readyVault opened: with another key and this client's wallet, and the same guardians where guardians approved. Those that there are where hospitals approved were somebody else's choice. The caller keeps the file, shows the code, and then calls finishRecovery. */
export async function prepareRecovered(client: Client, number: bigint, ready: ReadyVault): Promise<NextVault> {
  const isByGuardians = (await recoveryAt(client.gateways, number)).recovery.unlock !== ''
  return prepareVault(client, ready.former, ready.vault, { newKey: true, ...(isByGuardians ? {} : { guardians: 'none' as const }) })
}

/** finishRecovery uploads the next vault, has the chain bind the patient to this client's account, and makes the guardians known. The former wallet is of no use from then on. What was stored before is sealed to the vault's former key. It can be called again after it was cut short. */
export async function finishRecovery(client: Client, number: bigint, next: VaultFile): Promise<void> {
  const { recovery, status } = await recoveryAt(client.gateways, number)
  if (status !== RecoveryStatus.FINISHED) {
    const { cid, block } = vaultBlock(next)
    const hospital = await client.gateways.putBlocks([{ cid, block }])
    await client.send('amino', 2n * gasBase, MsgFinishRecoverySchema, {
      account: client.signer.address, recovery: number, vaultKey: inParts(base64.decode(next.key)), revision: BigInt(next.revision), vaultBlob: cidText(cid),
      vaultSize: BigInt(block.length), hospital,
    }, MsgFinishRecoveryResponseSchema)
  }
  await client.principal(true)
  await setGuardians(client, next)
  if (recovery.unlock !== '') await forgetSession(client.secrets, recovery.unlock)
}
