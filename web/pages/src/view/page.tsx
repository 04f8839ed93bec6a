import { Auditor, AuditorWays } from '../auditor/auditor'
import { Verify } from '../auditor/verify'
import { Staff, StaffWays } from '../hospital/staff'
import { route } from '../route'
import { chain, lock, stage } from '../session'
import { Beginning, LostNote, PatientPage, patientWays } from '../patient/pages'
import { isDemo } from '../wallet/demo'
import { language, languages, speak, type Language, words } from '../words/words'
import { Action } from './action'
import { Log } from './log'
import { DemoQuestion } from './question'
import { Records } from './records'
import { Shut } from './shut'
import { PagesLine, PageTrust } from './trust'
import { Join } from './visit'
import { Welcome } from './welcome'

/** Page is everything: a head, the way around, and what is looked at. */
export function Page() {
  const w = words.value
  const network = chain.value
  return (
    <>
      <a class="skip" href="#main">{w.skip}</a>
      <header>
        <span class="name">phrd</span>
        {network !== undefined && <span>{w.servedBy(network.name)}</span>}
        <label>
          <span class="hidden">{w.language}</span>
          <select value={language.value} onChange={(e) => speak(e.currentTarget.value as Language)}>
            {Object.entries(languages).map(([code, name]) => <option key={code} value={code} lang={code}>{name}</option>)}
          </select>
        </label>
      </header>
      {network !== undefined && isDemo(network.chainID) && <p class="banner">{w.demoNetwork}</p>}
      {stage.value.at === 'open' && <Ways />}
      {stage.value.at === 'staff' && (stage.value.role === 'auditor' ? <AuditorWays /> : <StaffWays role={stage.value.role} />)}
      <LostNote />
      <main id="main" tabIndex={-1}><Stage /></main>
      <PagesLine />
      <DemoQuestion />
    </>
  )
}

function Ways() {
  const w = words.value
  const at = route.value[0]
  const ways = [['', w.requests], ['records', w.records], ...patientWays(), ['log', w.log]] as const
  return (
    <nav>
      {ways.map(([path, name]) => <a key={path} href={`#/${path}`} aria-current={at === path ? 'page' : undefined}>{name}</a>)}
      <Action kind="plain" run={lock}>{w.signOut}</Action>
    </nav>
  )
}

function Stage() {
  const now = stage.value
  if (route.value[0] === 'verify') return <Verify />
  if (route.value[0] === 'page') return <PageTrust />
  switch (now.at) {
    case 'out':
      return <Welcome />
    case 'stranger':
      return <Join client={now.client} />
    case 'new':
      return <Beginning client={now.client} />
    case 'staff':
      if (now.role === 'auditor') return <Auditor client={now.client} />
      return <Staff client={now.client} role={now.role} hospital={now.hospital} />
    case 'shut':
      return <Shut client={now.client} file={now.file} />
    case 'open':
      if (route.value[0] === 'records') return <Records client={now.client} patient={now.patient} vault={now.vault} />
      if (route.value[0] === 'log') return <Log client={now.client} patient={now.patient} />
      return <PatientPage at={route.value[0] ?? ''} open={now} />
  }
}
