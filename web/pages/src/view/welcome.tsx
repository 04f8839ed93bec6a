import type { Chain } from '#sdk/gateway/gateway.js'
import { forget, home, unreached } from '../home'
import { hasWallet, connectWallet } from '../wallet/keplr'
import { demoWallet, isDemo } from '../wallet/demo'
import { otherAccount } from '../wallet/follow'
import { chain, signIn } from '../session'
import { auditorWords } from '../words/auditor/words'
import { walletWords } from '../words/wallet/words'
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
      {otherAccount.value && <p role="alert" class="note">{walletWords.value.otherAccount}</p>}
      {hasWallet() ? (
        <Action run={() => connect(network)}>{w.connect}</Action>
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

async function connect(network: Chain): Promise<void> {
  await signIn(await connectWallet(network, home.value.gateway))
  otherAccount.value = false
}

function askAgain(): void {
  forget()
  location.reload()
}
