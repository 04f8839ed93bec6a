import { ed25519 } from '@noble/curves/ed25519.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { type Bytes, compare, concat, equal } from '#custody/encoding.js'
import { bytesField, numberField, presentField } from '#custody/protobuf.js'
import { demand, refuse } from '#custody/refusal.js'
import type { Form, Time } from './form.js'
import { treeHash } from './tree.js'

const precommit = 2n
// The most votes of one validator.
const mostVotes = 1n << 40n
const encoder = new TextEncoder()

/** Validator is a key of ed25519 that signs blocks, with its votes. */
export interface Validator {
  readonly key: Bytes
  readonly votes: bigint
}

interface Signature {
  readonly validator: bigint
  readonly time: Time
  readonly signature: Bytes
}

/** BlockID is the hash of a header, and of the parts in which the block travelled. */
interface BlockID {
  readonly hash: Bytes
  readonly partsTotal: bigint
  readonly partsHash: Bytes
}

/** Header is that of a block, as CometBFT 0.38 to 0.40 defines it. */
export interface Header {
  readonly blockVersion: bigint
  readonly appVersion: bigint
  readonly chainID: string
  readonly height: bigint
  readonly time: Time
  readonly lastBlock: BlockID
  readonly lastCommitHash: Bytes
  readonly dataHash: Bytes
  readonly validatorsHash: Bytes
  readonly nextValidatorsHash: Bytes
  readonly consensusHash: Bytes
  readonly appHash: Bytes
  readonly lastResultsHash: Bytes
  readonly evidenceHash: Bytes
  readonly proposer: Bytes
}

/** Block is the header of a block, with who signed it. */
export interface Block {
  readonly header: Header
  readonly round: bigint
  readonly partsTotal: bigint
  readonly partsHash: Bytes
  readonly validators: readonly Validator[]
  readonly signatures: readonly Signature[]
}

/** Signed says with how many of all votes a block is signed. */
export interface Signed {
  readonly votes: bigint
  readonly allVotes: bigint
}

/** readBlock reads a line with a block. In it every field is there. */
export function readBlock(line: Form): Block {
  return line.whole(() =>
    line.object('block', () => ({
      header: readHeader(line), round: line.number('round', 31n), partsTotal: line.number('parts_total', 32n), partsHash: line.hex('parts_hash'),
      validators: line.list('validators', () => line.element(() => ({ key: line.bytes('key'), votes: line.number('votes', 63n) }))),
      signatures: line.list('signatures', () =>
        line.element(() => ({ validator: line.number('validator', 31n), time: line.time('time'), signature: line.bytes('signature') })),
      ),
    })),
  )
}

function readHeader(line: Form): Header {
  const version = line.object('version', () => [line.number('block', 64n), line.number('app', 64n)] as const)
  return {
    blockVersion: version[0], appVersion: version[1], chainID: line.text('chain_id'), height: line.number('height', 63n), time: line.time('time'),
    lastBlock: line.object('last_block', () => ({ hash: line.hex('hash'), partsTotal: line.number('parts_total', 32n), partsHash: line.hex('parts_hash') })),
    lastCommitHash: line.hex('last_commit_hash'), dataHash: line.hex('data_hash'), validatorsHash: line.hex('validators_hash'),
    nextValidatorsHash: line.hex('next_validators_hash'), consensusHash: line.hex('consensus_hash'), appHash: line.hex('app_hash'),
    lastResultsHash: line.hex('last_results_hash'), evidenceHash: line.hex('evidence_hash'), proposer: line.hex('proposer'),
  }
}

/** headerHash is the hash of a block. */
export function headerHash(h: Header): Bytes {
  return treeHash([
    concat(numberField(1, h.blockVersion), numberField(2, h.appVersion)), bytesField(1, encoder.encode(h.chainID)), numberField(1, h.height), timeMessage(h.time),
    blockIDMessage(h.lastBlock), bytesField(1, h.lastCommitHash), bytesField(1, h.dataHash), bytesField(1, h.validatorsHash), bytesField(1, h.nextValidatorsHash),
    bytesField(1, h.consensusHash), bytesField(1, h.appHash), bytesField(1, h.lastResultsHash), bytesField(1, h.evidenceHash), bytesField(1, h.proposer),
  ])
}

/** validatorsHash is the hash of validators in their order. */
export function validatorsHash(validators: readonly Validator[]): Bytes {
  return treeHash(validators.map((v) => concat(bytesField(1, bytesField(1, v.key)), numberField(2, v.votes))))
}

/** inOrder are the validators as the chain orders them: by votes, the most first, then by their addresses. */
export function inOrder(validators: readonly Validator[]): Validator[] {
  const address = (v: Validator) => sha256(v.key).subarray(0, 20)
  return validators.toSorted((a, b) => Number(b.votes > a.votes) - Number(b.votes < a.votes) || compare(address(a), address(b)))
}

/** checkSignatures refuses unless the validators of a block are those of its header, and more than two thirds of their votes signed it. */
export function checkSignatures(block: Block): Signed {
  demand(block.validators.length > 0, 'a block has no validators')
  demand(equal(validatorsHash(block.validators), block.header.validatorsHash), 'the validators are not those of the block')
  const id = { hash: headerHash(block.header), partsTotal: block.partsTotal, partsHash: block.partsHash }
  for (const [i, v] of block.validators.entries()) demand(v.key.length === 32 && v.votes > 0n && v.votes <= mostVotes, `validator ${i} has no key or no votes`)
  let [votes, last] = [0n, -1n]
  for (const { validator, time, signature } of block.signatures) {
    const { key, votes: theirs } = block.validators[Number(validator)] ?? refuse(`validator ${validator} is not in the list`)
    demand(validator > last, `the signature of validator ${validator} stands after that of ${last}`)
    last = validator
    demand(isSignature(signature, voteBytes(block, id, time), key), `the signature of validator ${validator} is wrong`)
    votes += theirs
  }
  const allVotes = block.validators.reduce((sum, v) => sum + v.votes, 0n)
  demand(3n * votes > 2n * allVotes, `validators with ${votes} of ${allVotes} votes signed, want more than two thirds`)
  return { votes, allVotes }
}

function isSignature(signature: Bytes, message: Bytes, key: Bytes): boolean {
  return signature.length === 64 && ed25519.verify(signature, message, key, { zip215: false })
}

function voteBytes(block: Block, id: BlockID, time: Time): Bytes {
  const vote = concat(
    numberField(1, precommit), fixedField(2, block.header.height), fixedField(3, block.round), presentField(4, blockIDMessage(id)),
    presentField(5, timeMessage(time)), bytesField(6, encoder.encode(block.header.chainID)),
  )
  // A field with its length, without the byte for its number.
  return presentField(1, vote).slice(1)
}

// The parts are there even where they are empty, as before the first block.
function blockIDMessage(id: BlockID): Bytes {
  return concat(bytesField(1, id.hash), presentField(2, concat(numberField(1, id.partsTotal), bytesField(2, id.partsHash))))
}

function timeMessage(time: Time): Bytes {
  return concat(numberField(1, BigInt.asUintN(64, time.seconds)), numberField(2, time.nanoseconds))
}

function fixedField(field: number, value: bigint): Bytes {
  if (value === 0n) return new Uint8Array()
  const bytes = new Uint8Array(9)
  bytes[0] = (field << 3) | 1
  new DataView(bytes.buffer).setBigUint64(1, value, true)
  return bytes
}
