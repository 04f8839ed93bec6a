// A program of several people on a live network, for TestPeopleWithTheTypeScriptSDK of cmd/phrd: a line of JSON for each
// question, one for each answer.
import { createHash } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { create } from '@bufbuild/protobuf'
import { encodeSecp256k1Signature, type OfflineAminoSigner } from '@cosmjs/amino'
import { isJsonRpcErrorResponse, parseJsonRpcResponse } from '@cosmjs/json-rpc'
import { Registry } from '@cosmjs/proto-signing'
import { TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx'
import { AminoTypes, SigningStargateClient } from '@cosmjs/stargate'
import { Comet38Client, type RpcClient } from '@cosmjs/tendermint-rpc'
import {
  approve, archiveOwn, askForAll, Client, type Door, dueRelocks, exportLog, forgetAll, fetchVault, hasAccount, invitationText, joinConfig, LocalSigner, log, MemorySecrets, newWords, openAccount, openUnlock, openVault, openVaultByCode, openVaultByWallet,
  type OpenedFile, parseInvitation, parseRef, PhrdError, preparePatient, propose, records, refText, Refused, relock, registerPatient, review, store, unlockOwn, unlocks, type VaultFile,
  versions, wanted, WorkerChunks, withdraw,
} from '../src/index.js'
import { Class } from '../src/generated/phrd/records/v1/record_pb.js'
import { UnlockStatus } from '../src/generated/phrd/access/v1/unlock_pb.js'
import { MsgDenyUnlockSchema } from '../src/generated/phrd/access/v1/tx_pb.js'
import { poll } from '../src/poll.js'
import { isOpen, unlockAt } from '../src/unlock/checked.js'
import { cosmJSConverters, cosmJSTypes } from '../src/message/cosmjs.js'
import type { SignDocument } from '../src/message/document.js'
import { nodeLanes, pinnedTransport } from '../src/node/index.js'

interface Person {
  readonly signer: LocalSigner
  readonly secrets: MemorySecrets
  client?: Client
  file?: VaultFile
  code?: string
}

interface Question {
  readonly as: string
  readonly do: keyof typeof answers
  readonly invitation?: string
  readonly doors?: readonly { readonly gateway: string; readonly fingerprint: string }[]
  readonly ref?: string
  readonly refs?: readonly string[]
  readonly unlock?: string
  readonly path?: string
  readonly patient?: string
  readonly record?: string
  readonly claim?: 'period' | 'patient' | 'selection'
  readonly from?: number
  readonly to?: number
  readonly kind?: string
  readonly offset?: number
  readonly length?: number
}

const people = new Map<string, Person>()
const chunks = new WorkerChunks(nodeLanes(2))
const patience = () => AbortSignal.timeout(60_000)

const answers = {
  // Somebody with a wallet of their own: 24 words.
  key: async (q: Question) => {
    const signer = await LocalSigner.fromWords(newWords())
    people.set(q.as, { signer, secrets: new MemorySecrets() })
    return { address: signer.address }
  },
  dial: async (q: Question) => {
    const doors = (q.doors ?? []).map((d): Door => ({ hospital: 0n, name: '', ...d }))
    const { signer, secrets } = who(q)
    who(q).client = await Client.dial({ doors, signer, secrets, transport: pinnedTransport })
    const { role, hospital } = await client(q).principal()
    return { role, hospital: Number(hospital) }
  },
  join: async (q: Question) => {
    const invitation = parseInvitation(q.invitation ?? '')
    if (invitationText(invitation) !== q.invitation) return fail('an invitation is written in another way than the command writes it')
    const person = who(q)
    person.client = await Client.dial({ ...joinConfig(invitation), signer: person.signer, secrets: person.secrets, transport: pinnedTransport })
    const before = await hasAccount(person.client)
    await openAccount(person.client, invitation)
    const prepared = await preparePatient(person.client)
    await registerPatient(person.client, prepared.file)
    ;[person.file, person.code] = [prepared.file, prepared.code]
    const { patient } = await person.client.principal(true)
    return { before, patient, registered: prepared.file.patient, words: prepared.code.split(' ').length, walletSlot: prepared.walletSlot, vault: prepared.file, code: prepared.code }
  },
  store: async (q: Question) => {
    const content = await openAsBlob(q.path ?? '')
    const stages = new Set<string>()
    const ref = await store(client(q), {
      place: { patient: q.patient ?? '', class: Class.IMAGING }, draft: { name: 'chest à jeun.dcm', mediaType: 'application/dicom', modified: 1_700_000_000n }, content, chunks,
      progress: (stage) => stages.add(stage),
    })
    return { ref: refText(ref), stages: [...stages] }
  },
  propose: async (q: Question) => ({
    unlock: await propose(client(q), { versions: (q.refs ?? []).map(parseRef), purpose: 'TREAT', lifetime: 3600n }),
  }),
  inbox: async (q: Question) => {
    const found: string[] = []
    for await (const { unlock, status } of unlocks(client(q), { patient: q.patient ?? '', status: UnlockStatus.ENDORSED })) found.push(`${unlock?.id} ${UnlockStatus[status]}`)
    return { unlocks: found }
  },
  review: async (q: Question) => {
    const r = await review(client(q), q.unlock ?? '')
    return { hospital: r.hospital, purpose: r.purpose, versions: r.versions.map(refText), witnesses: r.witnesses, checks: r.checks }
  },
  approve: async (q: Question) => {
    const person = who(q)
    await approve(client(q), await review(client(q), q.unlock ?? ''), await openVault(client(q), person.file ?? fail('no vault')))
    return {}
  },
  open: async (q: Question) => {
    const file = await openUnlock(client(q), q.unlock ?? '', parseRef(q.ref ?? ''), { signal: patience(), chunks })
    return { ...(await contents(file)), part: await sha256Of(file.stream(BigInt(q.offset ?? 0), BigInt(q.length ?? 0))) }
  },
  own: async (q: Question) => {
    const person = who(q)
    // As on a device that has neither the vault nor what opens it without the code.
    const vault = await openVaultByCode(await fetchVault(client(q)), person.code?.toUpperCase() ?? '')
    await openVaultByWallet(client(q), person.file ?? fail('no vault'))
    const ref = parseRef(q.ref ?? '')
    const file = await openUnlock(client(q), await unlockOwn(client(q), vault, [ref]), ref, { signal: patience() })
    return contents(file)
  },
  withdraw: async (q: Question) => ({ height: Number((await withdraw(client(q), q.unlock ?? '')).height) }),
  records: async (q: Question) => {
    const found: string[] = []
    for await (const r of records(client(q), q.patient ?? '')) for await (const v of versions(client(q), parseRef(`${r.id}/1`).record)) found.push(`${v.record}/${v.version}`)
    return { refs: found }
  },
  relockAll: async (q: Question) => {
    const vault = await openVault(client(q), who(q).file ?? fail('no vault'))
    await askForAll(client(q))
    const due = wanted(await dueRelocks(client(q), vault))
    let relocked = 0
    await relock(client(q), vault, due, { signal: patience(), tell: (done) => (relocked = done) })
    // Another gateway may be a block behind.
    await poll(patience(), async () => ((await dueRelocks(client(q), vault)).asked.length === 0 ? true : undefined))
    await forgetAll(client(q))
    return { relocked }
  },
  archive: async (q: Question) => {
    await writeFile(q.path ?? '', archiveOwn(client(q), await openVault(client(q), who(q).file ?? fail('no vault')), { signal: patience(), chunks }))
    return {}
  },
  log: async (q: Question) => {
    const kinds: string[] = []
    for await (const entry of log(client(q), { patient: q.patient ?? '', record: q.record ?? '' })) kinds.unshift(`${entry.kind} ${entry.actor}`)
    return { kinds }
  },
  exportLog: async (q: Question) => {
    const claim = q.claim === 'period' ? { kind: q.claim, from: BigInt(q.from ?? 0), to: BigInt(q.to ?? 0) }
      : q.claim === 'patient' ? { kind: q.claim, patient: q.patient ?? '' }
        : { kind: 'selection' as const, filter: { kind: q.kind ?? '', hospital: 4n } }
    await writeFile(q.path ?? '', exportLog(client(q), claim))
    return {}
  },
  // With the clients of CosmJS over the gateway's /rpc, as a page that has them does.
  denyWithCosmJS: async (q: Question) => {
    const { signer } = who(q)
    const value = { signer: signer.address, unlock: q.unlock ?? '' }
    const options = { registry: new Registry(cosmJSTypes() as never), aminoTypes: new AminoTypes(cosmJSConverters() as never) }
    const signing = await SigningStargateClient.createWithSigner(await Comet38Client.create(rpcOf(q)), offline(signer), options)
    const message = { typeUrl: `/${MsgDenyUnlockSchema.typeName}`, value: create(MsgDenyUnlockSchema, value) }
    const signed = await signing.sign(signer.address, [message], { amount: [], gas: '1500000' }, '')
    // signAndBroadcast waits by tx_search, which a gateway does not serve.
    const hash = await signing.broadcastTxSync(TxRaw.encode(signed).finish())
    const ended = async () => (isOpen((await unlockAt(client(q).gateways, value.unlock)).status) ? undefined : true)
    return { hash, ended: await poll(patience(), ended) }
  },
}

function rpcOf(q: Question): RpcClient {
  const [door] = client(q).gateways.order()
  if (door === undefined) return fail('no gateway')
  const ask = pinnedTransport(door.door)
  return {
    execute: async (request) => {
      const headers = { 'content-type': 'application/json' }
      const answer = parseJsonRpcResponse(await (await ask(`${door.door.gateway}/rpc`, { method: 'POST', headers, body: JSON.stringify(request) })).json())
      return isJsonRpcErrorResponse(answer) ? fail(JSON.stringify(answer.error)) : answer
    },
    disconnect: () => undefined,
  }
}

function offline(signer: LocalSigner): OfflineAminoSigner {
  return {
    getAccounts: async () => [{ address: signer.address, algo: 'secp256k1', pubkey: signer.publicKey }],
    signAmino: async (_, document) => {
      const { signature } = await signer.signAmino(document as SignDocument) // the same form
      return { signed: document, signature: encodeSecp256k1Signature(signer.publicKey, signature) }
    },
  }
}

function who(q: Question): Person {
  return people.get(q.as) ?? fail(`nobody is called ${q.as}`)
}

function client(q: Question): Client {
  return who(q).client ?? fail(`${q.as} has not dialled`)
}

async function contents(file: OpenedFile) {
  return { name: file.name, mediaType: file.mediaType, modified: Number(file.modified), size: Number(file.size), sha256: await sha256Of(file.stream()) }
}

async function sha256Of(stream: ReadableStream<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of stream) hash.update(part)
  return hash.digest('hex')
}

function fail(why: string): never {
  throw new Error(why)
}

for await (const line of createInterface({ input: process.stdin })) {
  const q: Question = JSON.parse(line)
  try {
    process.stdout.write(`${JSON.stringify({ out: await answers[q.do](q) })}\n`)
  } catch (cause) {
    const kind = cause instanceof PhrdError ? cause.kind : cause instanceof Refused ? `refused: ${cause.reason}` : 'fault'
    process.stdout.write(`${JSON.stringify({ kind, error: cause instanceof Error ? `${cause.message} ${cause.stack} ${String(cause.cause)}` : String(cause) })}\n`)
  }
}
chunks.close()
