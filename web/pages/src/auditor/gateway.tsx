import { useSignal } from '@preact/signals'
import { name, unreached } from '../home'
import { learn } from '../session'
import { Action, ErrorNote } from '../view/action'
import { auditorWords } from '../words/auditor/words'

/** GatewayQuestion asks for a hospital's gateway where the page comes from a host that is none. */
export function GatewayQuestion() {
  const a = auditorWords.value
  const typed = useSignal('')
  const use = async () => {
    name(typed.value.trim())
    await learn()
  }
  return (
    <section>
      <h1>{a.gatewayTitle}</h1>
      <p>{a.gatewayText}</p>
      <div class="fields">
        <label>{a.gateway}<input type="url" autocomplete="url" spellcheck={false} value={typed.value} onInput={(e) => (typed.value = e.currentTarget.value)} /></label>
      </div>
      <Action run={use}>{a.useGateway}</Action>
      <p><a href="#/verify">{a.verifyWithout}</a></p>
      <details><summary>{a.why}</summary><ErrorNote cause={unreached.value} /></details>
    </section>
  )
}
