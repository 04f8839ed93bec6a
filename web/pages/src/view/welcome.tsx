import { forget, home, unreached } from '../home'
import { hasWallet, connectWallet } from '../wallet/keplr'
import { demoWallet, isDemo } from '../wallet/demo'
import { chain, signIn } from '../session'
import { auditorWords } from '../words/auditor/words'
import { words } from '../words/words'
import { Action } from './action'
import { GatewayQuestion } from './gateway'

/** Welcome lets somebody connect a wallet. */
export function Welcome() {
  const w = words.value
  const network = chain.value
  if (network === undefined) return unreached.value === undefined ? <p>{w.working}</p> : <GatewayQuestion />
  return (
    <section>
      <h1>{w.welcome}</h1>
      <p>{w.welcomeText}</p>
      {hasWallet() ? (
        <Action run={async () => signIn(await connectWallet(network, home.value.gateway))}>{w.connect}</Action>
      ) : (
        <p class="note">{w.noWallet}</p>
      )}
      {isDemo(network.chainID) && (
        <div class="demo">
          <Action kind="plain" run={async () => signIn(await demoWallet())}>{w.demoWallet}</Action>
          <p>{w.demoWalletNote}</p>
        </div>
      )}
      <p class="ways">
        <a href="#/verify">{auditorWords.value.verifyTitle}</a>
        {home.value.gateway !== location.origin && <button type="button" class="plain" onClick={askAgain}>{w.otherGateway}</button>}
      </p>
    </section>
  )
}

function askAgain(): void {
  forget()
  location.reload()
}
