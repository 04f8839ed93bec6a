import { equals } from '@bufbuild/protobuf'
import type { Client } from '../client.js'
import { PhrdError } from '../errors.js'
import type { Gateway } from '../gateway/gateway.js'
import type { Connection } from '../gateway/query.js'
import { GuardiansSchema } from '../generated/phrd/access/v1/guardian_pb.js'
import { RecoverySchema } from '../generated/phrd/access/v1/recovery_pb.js'
import { Query as Consortium } from '../generated/phrd/consortium/v1/query_pb.js'
import { arrived } from '../poll.js'
import { chooseWitnesses, meet } from '../unlock/witnesses.js'
import { checkRecovery, type CheckedRecovery } from './checked.js'
import { isOpenRecovery, recoveryAt, type SeenRecovery } from './list.js'

/** RecoveryReview is a recovery as a guardian or an officer sees it before approving, read at one height from the nodes of two hospitals that show the same. */
export interface RecoveryReview extends SeenRecovery {
  /** Where guardians approve: it hashes to the recovery's unlock. */
  readonly checked: CheckedRecovery | undefined
  /** The name of the hospital whose invitation opened the account: it has checked who the person is. Ask the person, too. */
  readonly invitedBy: string
  /** The hospitals that it was read from. */
  readonly witnesses: readonly string[]
  readonly doors: readonly Gateway[]
}

type View = Awaited<ReturnType<typeof checkRecovery>> & { readonly invitedBy: string }

/** reviewRecovery reads a recovery from the nodes of two hospitals, and checks all that can be checked. It fails where they show different things, where a proof does not hold, and where it has ended. */
export async function reviewRecovery(client: Client, number: bigint): Promise<RecoveryReview> {
  const first = await arrived(() => recoveryAt(client.gateways, number))
  const { doors } = await chooseWitnesses(client, first.recovery.inviter)
  const height = await meet(client, doors)
  const views = await Promise.all(doors.map((door) => look(door.at(height), client, number)))
  const [view, other] = views
  if (view === undefined || other === undefined) throw new PhrdError('unreachable', 'no two hospitals answer')
  if (!alike(view, other)) throw new PhrdError('disagree', `${doors.map((d) => d.name).join(' and ')} show another recovery`)
  if (!isOpenRecovery(view.status)) throw new PhrdError('ended', `recovery ${number} has ended`)
  if (view.recovery.number !== number) throw new PhrdError('proposal', `recovery ${number} is shown as ${view.recovery.number}`)
  return { ...view, witnesses: doors.map((d) => d.name), doors }
}

async function look(connection: Connection, client: Client, number: bigint): Promise<View> {
  const seen = await checkRecovery(connection, client.network, number)
  const { member } = await connection.query(Consortium.method.member, { number: seen.recovery.inviter })
  return { ...seen, invitedBy: member?.name ?? '' }
}

function alike(a: View, b: View): boolean {
  const [mine, theirs] = [a.checked?.slot.guardians, b.checked?.slot.guardians]
  const isSameSlot = mine === undefined || theirs === undefined ? mine === theirs : equals(GuardiansSchema, mine, theirs)
  return a.status === b.status && a.invitedBy === b.invitedBy && isSameSlot && equals(RecoverySchema, a.recovery, b.recovery)
}
