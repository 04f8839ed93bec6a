// Helia, an IPFS implementation that shares no code with ours, fetches blocks from one peer over bitswap:
//
//   node witness.mjs SECONDS SEED MULTIADDR CID...
//
// It waits so many seconds for the connection and for each block. SEED is the Ed25519 seed of its peer id in hex. It writes one JSON object: {"peer", "blocks": {cid: base64}} or
// {"peer", "error"}, and ends with 0 only if every block came.
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createHeliaLight } from 'helia'
import { CID } from 'multiformats/cid'

const [seconds, seed, address, ...cids] = process.argv.slice(2)
const patience = 1000 * Number(seconds)

const privateKey = await generateKeyPairFromSeed('Ed25519', Buffer.from(seed, 'hex'))
const helia = await withBitswap(withLibp2pLight(createHeliaLight(), {
  privateKey,
  transports: [tcp()],
  connectionEncrypters: [tls()],
  streamMuxers: [yamux()],
  services: { identify: identify() }
})).start()

const answer = { peer: helia.libp2p.peerId.toString(), blocks: {} }
try {
  await helia.libp2p.dial(multiaddr(address), { signal: AbortSignal.timeout(patience) })
  for (const text of cids) {
    const cid = CID.parse(text)
    const parts = []
    const got = await helia.blockstore.get(cid, { signal: AbortSignal.timeout(patience) })
    if (got instanceof Uint8Array) {
      parts.push(got)
    } else {
      for await (const part of got) parts.push(part)
    }
    answer.blocks[text] = Buffer.concat(parts).toString('base64')
  }
} catch (error) {
  answer.error = `${error.name}: ${error.message}`
}
await new Promise(resolve => process.stdout.write(JSON.stringify(answer), resolve))
await helia.stop()
process.exit(answer.error === undefined ? 0 : 1)
