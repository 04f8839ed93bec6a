import { effect } from '@preact/signals'
import { render } from 'preact'
import './hospital/hospital.css'
import './vault/vault.css'
import { keepFresh } from './live'
import { follow } from './patient/follow'
import { learn, lockWhenIdle } from './session'
import { Page } from './view/page'
import { followWallet } from './wallet/follow'
import { language, words } from './words/words'

effect(() => {
  document.documentElement.lang = language.value
  document.title = `${words.value.title} · phrd`
})

const place = document.getElementById('page')
if (place === null) throw new Error('the page has no place for itself')
render(<Page />, place)
keepFresh()
follow()
lockWhenIdle()
followWallet()
learn().catch(() => undefined) // what went wrong is in unreached, and the page says it
