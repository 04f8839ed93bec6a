import { type Bytes, counted, fixed, readU64, u64 } from './encoding.js'
import { demand, refuse } from './refusal.js'

/** The only suite there is. */
export const suite = { v1: 1 } as const
/** Which halves open a version. */
export const lock = { both: 1, network: 2 } as const
/** What a network key is for. */
export const keyKind = { records: 1, emergency: 2, guardians: 3 } as const
/** Whose a record is: a patient's (16 bytes) or a hospital's (a number). */
export const ownerKind = { patient: 1, hospital: 2 } as const
/** Whose vault an owner half is sealed to. */
export const recipientKind = { patient: 1, hospital: 2, staff: 3, emergency: 4 } as const
/** What opens a vault's slot. */
export const slotKind = { wallet: 1, code: 2, passkey: 3, guardians: 4 } as const

export type Lock = (typeof lock)[keyof typeof lock]

/** member encodes one of an enumeration's values. 0 is never valid. */
export function member(of: Readonly<Record<string, number>>, value: bigint, what: string): Bytes {
  demand(Object.values(of).includes(Number(value)), `${what} ${value} is not known`)
  return u64(value)
}

/** parseLock accepts one of the two locks. */
export function parseLock(value: bigint): Lock {
  if (value === 1n) return lock.both
  if (value === 2n) return lock.network
  return refuse(`lock ${value} is not known`)
}

/** ownerID accepts the id of an owner of that kind. */
export function ownerID(kind: bigint, id: Uint8Array): Bytes {
  switch (Number(kind)) {
    case ownerKind.patient:
      return fixed(id, 16, "a patient's id")
    case ownerKind.hospital:
      return hospitalID(id)
    default:
      return refuse(`owner kind ${kind} is not known`)
  }
}

/** recipientID accepts the id of a recipient of that kind. */
export function recipientID(kind: bigint, id: Uint8Array): Bytes {
  switch (Number(kind)) {
    case recipientKind.patient:
      return fixed(id, 16, "a patient's id")
    case recipientKind.hospital:
    case recipientKind.emergency:
      return hospitalID(id)
    case recipientKind.staff:
      return fixed(id, 20, 'an address')
    default:
      return refuse(`recipient kind ${kind} is not known`)
  }
}

// A hospital that owns something is one: "none" is for custodians and requesters.
function hospitalID(id: Uint8Array): Bytes {
  const number = fixed(id, 8, "a hospital's number")
  counted(readU64(number, 0), "a hospital's number")
  return number
}
