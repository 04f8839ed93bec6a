import type { Client } from '#sdk/client.js'
import type { Gateway } from '#sdk/gateway/gateway.js'
import { Loaded } from '../view/action'
import { auditorWords } from '../words/auditor/words'

interface Bundle {
  readonly name: string
  /** The hash of the files that a hospital serves; empty where it serves none, undefined where it does not answer. */
  readonly hash: string | undefined
}

// The gateway that this page asks first stands first.
async function bundles(client: Client, own: bigint): Promise<Bundle[]> {
  const doors = await client.gateways.doors()
  const gateways = await Promise.all(doors.map((door) => client.gateways.of(door.hospital)))
  return Promise.all(gateways.sort((a, b) => Number(b.hospital === own) - Number(a.hospital === own)).map(bundleOf))
}

async function bundleOf(gateway: Gateway): Promise<Bundle> {
  const hash = await gateway.chain().then(({ pages }) => pages, () => undefined)
  return { name: gateway.name === '' ? gateway.host : gateway.name, hash }
}

/** PageTrust compares the files that this page is made of with those of the other hospitals. */
export function PageTrust({ client, own }: { client: Client; own: bigint }) {
  const a = auditorWords.value
  return (
    <section>
      <h1>{a.pageTrust}</h1>
      <p>{a.trustText}</p>
      <Loaded ask={() => bundles(client, own)} again={client}>
        {([first, ...others]) => (
          <>
            <h2>{a.ownBundle}</h2>
            <p>{first?.name}: <output class="long" translate={false}>{first?.hash ?? a.noAnswer}</output></p>
            <h2>{a.compared}</h2>
            <ul class="checks">
              {others.map(({ name, hash }) => {
                const isSame = hash !== undefined && hash === first?.hash && hash !== ''
                return (
                  <li key={name} class={isSame ? 'passed' : 'failed'}>
                    <span>{name}</span>
                    <strong>{hash === undefined ? a.noAnswer : hash === '' ? a.noPages : isSame ? a.same : a.differs}</strong>
                    {!isSame && hash !== undefined && hash !== '' && <span class="long" translate={false}>{hash}</span>}
                  </li>
                )
              })}
            </ul>
            <p>{a.bundleHow}</p>
          </>
        )}
      </Loaded>
    </section>
  )
}
