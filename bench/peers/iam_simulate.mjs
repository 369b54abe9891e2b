// iam-simulate, driven from outside: reads one JSON command a line, answers one JSON line.
//
//   node iam_simulate.mjs PREFIX        PREFIX: the folder that npm installed the package into
//   {"policies": {"identity": [{name, policy}], "resource": {…}}, "request": {principal, action, resource}}     first line
//   {"cases": [context, …], "way": "engine"|"from values"|"checked", "answers": true|false}                       then these
//
// Ways: "checked" is runSimulation, what its README shows; "engine" is the authorize() beneath it, with the policies loaded and the
// requests made beforehand: the least work that it can be asked for; "from values" makes the requests as well. (runUnsafeSimulation, which its README doesn't show, fails in 0.1.173 on any resource policy.)
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const packages = join(process.argv[2], 'node_modules', '@cloud-copilot')
const load = (...path) => import(pathToFileURL(join(packages, ...path)).href)
const { runSimulation } = await load('iam-simulate', 'dist', 'esm', 'index.js')

let ways

async function prepare({ policies, request }) {
  const { principal, action, resource } = request
  const target = { resource, accountId: resource.split(':')[4] }
  const simulation = (contextVariables) => ({
    request: { principal, action, resource: target, contextVariables },
    identityPolicies: policies.identity, resourcePolicy: policies.resource, serviceControlPolicies: [], resourceControlPolicies: []
  })
  ways = {
    checked: async (context) => {
      const response = await runSimulation(simulation(context), {})
      if (response.resultType === 'error') throw new Error(JSON.stringify(response.errors))
      return response.overallResult
    }
  }
  try {
    const { authorize } = await load('iam-simulate', 'dist', 'esm', 'core_engine', 'CoreSimulatorEngine.js')
    const { AwsRequestImpl } = await load('iam-simulate', 'dist', 'esm', 'request', 'request.js')
    const { RequestContextImpl } = await load('iam-simulate', 'dist', 'esm', 'requestContext.js')
    const { DiscoveryContextKeyConstraints } = await load('iam-simulate', 'dist', 'esm', 'context_keys', 'discoveryContextKeyConstraints.js')
    const { loadPolicy } = await load('iam-policy', 'dist', 'esm', 'index.js')
    const loaded = {
      sessionPolicy: undefined,
      identityPolicies: policies.identity.map(({ name, policy }) => loadPolicy(policy, { name })),
      serviceControlPolicies: [], resourceControlPolicies: [],
      resourcePolicy: loadPolicy(policies.resource, { name: 'trust' }),
      permissionBoundaries: undefined, vpcEndpointPolicies: undefined,
      simulationParameters: { simulationMode: 'Strict', discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]) }
    }
    const made = (context) => new AwsRequestImpl(principal, target, action, new RequestContextImpl(context))
    ways.engine = (request) => authorize({ ...loaded, request }).result
    ways.engine.given = made
    ways['from values'] = (context) => authorize({ ...loaded, request: made(context) }).result
  } catch (error) {
    process.stderr.write(`iam-simulate's engine can't be reached in this version: ${error.message}\n`)
  }
  return { ways: Object.keys(ways) }
}

async function run({ cases, way, answers }) {
  const ask = ways[way]
  if (ask.given) cases = cases.map(ask.given)
  if (answers) {
    const found = []
    for (const context of cases) found.push(await ask(context))
    return { answers: found }
  }
  const started = process.hrtime.bigint()
  const used = process.cpuUsage()
  if (way === 'checked') for (const context of cases) await ask(context)
  else for (const context of cases) ask(context)
  // What passed, or what the processor gave, whichever is less: other programs' time isn't counted, nor twice that of Node's own threads.
  const passed = Number(process.hrtime.bigint() - started) / 1e9
  const { user, system } = process.cpuUsage(used)
  return { seconds: Math.min(passed, (user + system) / 1e6) }
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  const reply = command.policies ? await prepare(command) : await run(command)
  process.stdout.write(JSON.stringify(reply) + '\n')
}
