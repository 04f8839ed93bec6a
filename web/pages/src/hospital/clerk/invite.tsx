import { useSignal } from '@preact/signals'
import { invite, type Invited } from '#sdk/hospital/invite.js'
import { Action } from '../../view/action'
import { hospitalWords } from '../../words/hospital/words'
import { timeText } from '../../words/words'
import { QRCode } from '../qr'
import type { Person } from '../staff'

// Seconds for which an invitation is good.
const lifetime = 14n * 24n * 3600n

/** Invite lets one person become a patient: by a QR code, a link, or a line on paper. */
export function Invite({ client }: Person) {
  const w = hospitalWords.value
  const invited = useSignal<Invited | undefined>(undefined)
  const made = invited.value
  return (
    <section>
      <h1>{w.invite}</h1>
      <p>{w.inviteText}</p>
      <Action run={async () => void (invited.value = await invite(client, lifetime))}>{made === undefined ? w.makeInvitation : w.makeAnother}</Action>
      {made !== undefined && (
        <article aria-label={w.invitation}>
          <QRCode text={linkOf(made)} label={w.qrLabel} />
          <dl>
            <dt>{w.goodUntil}</dt><dd>{timeText(made.expires)}</dd>
            <dt>{w.link}</dt><dd><output class="long" translate={false}>{linkOf(made)}</output></dd>
          </dl>
          <div class="buttons">
            <Action kind="plain" run={() => navigator.clipboard.writeText(linkOf(made))}>{w.copyLink}</Action>
            <button type="button" class="plain" onClick={() => print()}>{w.print}</button>
            <button type="button" class="plain" onClick={() => (invited.value = undefined)}>{w.hide}</button>
          </div>
        </article>
      )}
    </section>
  )
}

// The page of the inviting hospital, which the person opens with it.
function linkOf(invited: Invited): string {
  return `${invited.doors[0]?.gateway ?? location.origin}/#/join/${invited.text}`
}
