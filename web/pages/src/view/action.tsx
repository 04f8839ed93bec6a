import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { words } from '../words/words'

/** ErrorNote says what went wrong, to a screen reader at once. */
export function ErrorNote({ cause }: { cause: unknown }) {
  if (cause === undefined) return null
  return (
    <p role="alert" class="error">
      <strong>{words.value.failed}:</strong> {cause instanceof Error ? cause.message : String(cause)}
    </p>
  )
}

/** Action is a button that runs something which takes time, and says what went wrong with it. */
export function Action({ run, children, kind = 'main', disabled = false }: {
  run: () => Promise<void>
  children: ComponentChildren
  kind?: 'main' | 'plain' | 'danger'
  disabled?: boolean
}) {
  const busy = useSignal(false)
  const fault = useSignal<unknown>(undefined)
  const click = async () => {
    busy.value = true
    fault.value = undefined
    try {
      await run()
    } catch (cause) {
      fault.value = cause
    }
    busy.value = false
  }
  return (
    <>
      <button type="button" class={kind} disabled={disabled || busy.value} aria-busy={busy.value} onClick={() => void click()}>
        {busy.value ? words.value.working : children}
      </button>
      <ErrorNote cause={fault.value} />
    </>
  )
}

/** Loaded shows what a question answers, once it has; again asks anew when it changes. What it answered last stays where it can't be asked now. */
export function Loaded<T>({ ask, again, children }: { ask: () => Promise<T>; again: unknown; children: (found: T) => ComponentChildren }) {
  const found = useSignal<{ value: T } | undefined>(undefined)
  const fault = useSignal<unknown>(undefined)
  useEffect(() => {
    let current = true
    fault.value = undefined
    ask().then(
      (value) => {
        if (current) found.value = { value }
      },
      (cause: unknown) => {
        if (current) fault.value = cause
      },
    )
    return () => {
      current = false
    }
  }, [again])
  if (found.value === undefined) return fault.value === undefined ? <p aria-live="polite">{words.value.working}</p> : <ErrorNote cause={fault.value} />
  return (
    <>
      <ErrorNote cause={fault.value} />
      {children(found.value.value)}
    </>
  )
}
