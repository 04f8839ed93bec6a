import { useSignal } from '@preact/signals'
import { name, unreached } from '../home'
import { learn } from '../session'
import { words } from '../words/words'
import { Action, ErrorNote } from './action'

/** GatewayQuestion asks for a hospital's gateway where the page comes from a host that is none. */
export function GatewayQuestion() {
  const w = words.value
  const typed = useSignal('')
  const use = async () => {
    name(typed.value.trim())
    await learn()
  }
  return (
    <section>
      <h1>{w.gatewayTitle}</h1>
      <p>{w.gatewayText}</p>
      <div class="fields">
        <label>{w.gateway}<input type="url" autocomplete="url" spellcheck={false} value={typed.value} onInput={(e) => (typed.value = e.currentTarget.value)} /></label>
      </div>
      <Action run={use}>{w.useGateway}</Action>
      <p><a href="#/verify">{w.verifyWithout}</a></p>
      <details><summary>{w.why}</summary><ErrorNote cause={unreached.value} /></details>
    </section>
  )
}
