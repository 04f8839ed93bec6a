import { hasWallet, connectWallet } from '../wallet/keplr'
import { demoWallet, isDemo } from '../wallet/demo'
import { chain, signIn } from '../session'
import { words } from '../words/words'
import { Action } from './action'

/** Welcome lets somebody connect a wallet. */
export function Welcome() {
  const w = words.value
  const network = chain.value
  if (network === undefined) return <p>{w.working}</p>
  return (
    <section>
      <h1>{w.welcome}</h1>
      <p>{w.welcomeText}</p>
      {hasWallet() ? (
        <Action run={async () => signIn(await connectWallet(network, location.origin))}>{w.connect}</Action>
      ) : (
        <p class="note">{w.noWallet}</p>
      )}
      {isDemo(network.chainID) && (
        <div class="demo">
          <Action kind="plain" run={async () => signIn(await demoWallet())}>{w.demoWallet}</Action>
          <p>{w.demoWalletNote}</p>
        </div>
      )}
    </section>
  )
}
