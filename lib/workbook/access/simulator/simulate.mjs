// Decides a batch of requests. In: a JSON list of simulations, each as iam-simulate defines them. Out: a JSON list of what became of
// each, by layer, with the statements that allow, deny, or would depend on a condition key.
import { readFileSync } from 'node:fs'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const named = (s) => ({ policy: s.policyId ?? '', sid: s.statement.sid() ?? String(s.statement.index()) })

// A statement is concerned when only its conditions can keep it from applying.
const concerned = (s) => s.actionMatch && s.resourceMatch && s.principalMatch !== 'NoMatch'

const layer = (analysis) =>
  analysis && {
    result: analysis.result,
    allow: analysis.allowStatements.map(named),
    deny: analysis.denyStatements.map(named),
    keys: [...analysis.allowStatements, ...analysis.denyStatements, ...analysis.unmatchedStatements]
      .filter(concerned)
      .map((s) => ({ ...named(s), keys: s.statement.conditions().map((c) => c.conditionKey().toLowerCase()) })),
  }

const answers = []
for (const simulation of JSON.parse(readFileSync(0, 'utf8'))) {
  const found = await runSimulation(simulation, {})
  const analysis = found.resultType === 'single' ? found.result.analysis : undefined
  answers.push({
    type: found.resultType,
    result: found.overallResult ?? '',
    error: found.errors ?? null,
    ignored: found.result?.ignoredContextKeys ?? [],
    blockedBy: analysis?.blockedBy ?? [],
    identity: layer(analysis?.identityAnalysis) ?? null,
    boundary: layer(analysis?.permissionBoundaryAnalysis) ?? null,
    endpoint: layer(analysis?.endpointAnalysis) ?? null,
    resource: layer(analysis?.resourceAnalysis) ?? null,
  })
}
process.stdout.write(JSON.stringify(answers))
