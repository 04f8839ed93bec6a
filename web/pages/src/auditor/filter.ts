import { signal } from '@preact/signals'
import type { LogFilter } from '#sdk/records/log.js'

/** Fields are what somebody has typed into the search. */
export interface Fields {
  readonly patient: string
  readonly actor: string
  readonly record: string
  readonly unlock: string
  readonly hospital: string
  readonly kind: string
  readonly purpose: string
  /** Days as YYYY-MM-DD, both of them searched. */
  readonly from: string
  readonly to: string
}

/** noFields search for everything. */
export const noFields: Fields = { patient: '', actor: '', record: '', unlock: '', hospital: '', kind: '', purpose: '', from: '', to: '' }

/** searched is what was searched for last. */
export const searched = signal<Fields>(noFields)

/** kinds are those that the log has most of; any other can be typed. */
export const kinds = [
  'stored', 'replicated', 'copy_lost', 'copy_reassigned', 'node_lost', 'node_returned', 'proof_missed', 'proof_failed', 'erasure_asked', 'erased', 'erasure_attested', 'proposed',
  'endorsed', 'approved', 'denied', 'withdrawn', 'expired', 'released', 'opened', 'consent_granted', 'consent_used', 'consent_withdrawn', 'consent_ended', 'emergency_enabled',
  'emergency_disabled', 'emergency_requested', 'emergency_approved', 'emergency_due', 'emergency_reviewed', 'guardians_set', 'recovery_proposed', 'recovery_approved', 'recovery_due',
  'recovery_released', 'recovery_cancelled', 'wallet_recovered', 'logged_in', 'login_failed', 'logged_out', 'session_ended', 'log_read', 'auditor_appointed', 'auditor_dismissed', 'role_ended',
  'webhook_added', 'webhook_removed',
  'pepper_deposited', 'pepper_collected', 'pepper_refused', 'pepper_admitted', 'pepper_deleted',
] as const

/** purposes are those of HL7 v3 ActReason that are met most. */
export const purposes = ['TREAT', 'ETREAT', 'HPAYMT', 'HRESCH', 'PATRQT'] as const

/** filterOf is what the gateway is asked for. */
export function filterOf(fields: Fields): LogFilter {
  const { patient, actor, record, unlock, kind, purpose } = fields
  return { patient, actor, record, unlock, kind, purpose, hospital: BigInt(fields.hospital || 0), ...timesOf(fields) }
}

/** timesOf are the two days in unix seconds, the first inclusive, the end of the second exclusive; 0 for none. */
export function timesOf({ from, to }: Pick<Fields, 'from' | 'to'>): { from: bigint; to: bigint } {
  return { from: startOf(from, 0), to: startOf(to, 1) }
}

/** monthOf is the month of a time, as YYYY-MM, in the time zone of who asks. */
export function monthOf(time: Date): string {
  return `${time.getFullYear()}-${String(time.getMonth() + 1).padStart(2, '0')}`
}

/** timesOfMonth are the first second of a month as YYYY-MM and that of the next one. */
export function timesOfMonth(month: string): { from: bigint; to: bigint } {
  const [year = 0, of = 1] = month.split('-').map(Number)
  const [from, to] = [of - 1, of].map((m) => BigInt(Math.floor(new Date(year, m).getTime() / 1000))) as [bigint, bigint]
  return { from, to }
}

// Days are those of the time zone of who asks.
function startOf(day: string, later: number): bigint {
  if (day === '') return 0n
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number)
  return BigInt(Math.floor(new Date(year, month - 1, date + later).getTime() / 1000))
}
