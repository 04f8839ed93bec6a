import type { Client } from '#sdk/client.js'
import type { NodeHealth, QueryHealthResponse } from '#sdk/generated/phrd/storage/v1/query_pb.js'
import { NodeStatus } from '#sdk/generated/phrd/storage/v1/object_pb.js'
import { readinessOf, type Readiness, storeHealth } from '#sdk/hospital/health.js'
import { memberDoors } from '#sdk/hospital/members.js'
import { refreshed } from '../../live'
import { hospitals } from '../../session'
import { Loaded } from '../../view/action'
import { hospitalWords } from '../../words/hospital/words'
import { sizeText, timeText } from '../../words/words'
import type { Person } from '../staff'

interface Server {
  readonly hospital: bigint
  readonly name: string
  /** What its gateway says; why it says nothing where it does not answer. */
  readonly says: Readiness | { readonly silent: string }
}

interface State {
  readonly servers: readonly Server[]
  readonly store: QueryHealthResponse
}

async function look(client: Client): Promise<State> {
  const doors = await memberDoors(client)
  const servers = await Promise.all(doors.map(async ({ hospital, name }): Promise<Server> => ({ hospital, name, says: await ask(client, hospital) })))
  return { servers, store: await storeHealth(client) }
}

async function ask(client: Client, hospital: bigint): Promise<Server['says']> {
  try {
    return await readinessOf(await client.gateways.of(hospital))
  } catch (cause) {
    return { silent: cause instanceof Error ? cause.message : String(cause) }
  }
}

/** Health is how the hospitals' servers and the store of the network are. */
export function Health({ client, hospital }: Person) {
  const w = hospitalWords.value
  return (
    <section>
      <h1>{w.health}</h1>
      <Loaded ask={() => look(client)} again={refreshed.value}>
        {({ servers, store }) => (
          <>
            <h2>{w.servers}</h2>
            <ul class="cards">
              {servers.map((server) => <li key={String(server.hospital)}><ServerCard server={server} isOwn={server.hospital === hospital} /></li>)}
            </ul>
            <h2>{w.storeOfAll}</h2>
            <StoreState store={store} />
            <h2>{w.storageNodes}</h2>
            <ul class="cards">{store.nodes.map((node) => <li key={String(node.node)}><NodeCard node={node} /></li>)}</ul>
          </>
        )}
      </Loaded>
    </section>
  )
}

function ServerCard({ server, isOwn }: { server: Server; isOwn: boolean }) {
  const w = hospitalWords.value
  const { says } = server
  return (
    <article>
      <h3>{server.name}{isOwn && ` (${w.yourHospital})`}</h3>
      {'silent' in says ? <p class="error">{w.doesNotAnswer}: {says.silent}</p> : (
        <>
          <p class={says.ready ? 'good' : 'error'}>{says.ready ? w.ready : w.notReady}{says.reasons.length > 0 && `: ${says.reasons.join('; ')}`}</p>
          <p>{w.height(String(says.height))}{says.catchingUp && `, ${w.catchingUp}`}</p>
        </>
      )}
    </article>
  )
}

function StoreState({ store }: { store: QueryHealthResponse }) {
  const w = hospitalWords.value
  return (
    <dl>
      <dt>{w.objects}</dt><dd>{String(store.objects)}</dd>
      <dt>{w.copiesHeld}</dt><dd>{w.of(Number(store.held), Number(store.copies))}</dd>
      <dt>{w.standings['PLACING']}</dt><dd>{String(store.placing)}</dd>
      <dt>{w.standings['REPAIRING']}</dt><dd>{String(store.repairing)}</dd>
      <dt>{w.standings['ENDANGERED']}</dt><dd>{String(store.endangered)}</dd>
      <dt>{w.standings['UNRECOVERABLE']}</dt><dd>{String(store.unrecoverable)}{store.more && ` (${w.moreThanCounted})`}</dd>
    </dl>
  )
}

function NodeCard({ node }: { node: NodeHealth }) {
  const w = hospitalWords.value
  return (
    <article>
      <h3>{w.node(String(node.node))}, {hospitals.value.get(node.member) ?? w.hospitalNumber(String(node.member))}</h3>
      <dl>
        <dt>{w.state}</dt><dd>{w.nodeStates[NodeStatus[node.status]] ?? NodeStatus[node.status]}</dd>
        <dt>{w.heard}</dt><dd>{node.beatAt === 0n ? w.never : timeText(node.beatAt)}</dd>
        <dt>{w.stored}</dt><dd>{sizeText(node.usage?.bytes ?? 0n)}</dd>
        <dt>{w.free}</dt><dd>{sizeText(node.free)}</dd>
        <dt>{w.strikes}</dt><dd>{String(node.strikes)}</dd>
      </dl>
    </article>
  )
}
