import { type Signal, useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { Client } from '#sdk/client.js'
import type { AuditScope } from '#sdk/gateway/gateway.js'
import { auditorWords } from '../words/auditor/words'

/** useScope is what of the log the account sees, once that is known. */
export function useScope(client: Client): Signal<AuditScope | undefined> {
  const scope = useSignal<AuditScope | undefined>(undefined)
  useEffect(() => {
    let current = true
    // Who can't be asked now can't be asked for the log either, which tells.
    client.principal().then(({ audits }) => {
      if (current) scope.value = audits
    }, () => undefined)
    return () => {
      current = false
    }
  }, [client])
  return scope
}

/** ScopeNote says of which hospitals an auditor sees the log, who does not see all of it. */
export function ScopeNote({ client }: { client: Client }) {
  const scope = useScope(client).value
  if (scope === undefined || scope.all) return null
  return <p class="scope">{auditorWords.value.sees(scope.hospitals.join(', '))}</p>
}
